/**
 * One Firestore database: calls through the low-level `v1.FirestoreClient`, each made once and with a deadline (the
 * high-level one retries a commit for up to 600 s, and one that was given up on landed later), and listeners.
 */
import { ServiceError } from '../core/errors.ts';
import type { Written } from '../core/ports.ts';
import { type BatchGet, batchGetOf } from './firestore-batch-get.ts';
import { type FirestoreClientOptions, firestoreClient, firestoreHeaders } from './firestore-client.ts';
import { type Document, toMs, toRevision, type Value } from './firestore-document.ts';
import { type FirestoreListeners, firestoreListeners } from './firestore-listeners.ts';

export type FirestoreOptions = FirestoreClientOptions & {
  /** `(default)`, or a named database. */
  databaseId: string;
  /** A call without an answer after this long counts as of unknown fate. */
  deadlineMs: number;
};

export type Found = { document: Document; readAtMs: number };

/** gRPC status codes: the document can never be stored, is not there, exists, is not as presented, is wanted by too many at once. */
export const INVALID_ARGUMENT = 3;
export const NOT_FOUND = 5;
export const ALREADY_EXISTS = 6;
export const FAILED_PRECONDITION = 9;
export const ABORTED = 10;

/** What the adapters ask of Firestore. Methods throw what the client throws; `answered` and `refusable` translate it. */
export type FirestoreDatabase = FirestoreListeners & {
  /** `projects/…/documents`: what every document's name begins with. */
  root: string;
  commit(writes: Record<string, unknown>[]): Promise<Written>;
  /** In the order of the names; `undefined` where there is no document. */
  read(names: readonly string[], mask?: readonly string[]): Promise<(Found | undefined)[]>;
  /** `parent`: where the collection is; absent: at the root. */
  query(structuredQuery: Record<string, unknown>, parent?: string): Promise<Found[]>;
  /** How many documents a query finds. */
  count(structuredQuery: Record<string, unknown>): Promise<number>;
  /**
   * The sums of these fields, five at most, in their order, over those documents that have all of them. A field is the
   * path of a number.
   *
   * @see https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredaggregationquery
   */
  sums(structuredQuery: Record<string, unknown>, fields: readonly string[]): Promise<number[]>;
  /** Loads and makes the client, and calls nobody. */
  warm(): Promise<void>;
};

/** One connection to one database, opened on first use. */
export function firestoreDatabase(options: FirestoreOptions): FirestoreDatabase {
  const database = `projects/${options.projectId}/databases/${options.databaseId}`;
  const root = `${database}/documents`;
  const headers = firestoreHeaders(options);
  const callOptions = {
    timeout: options.deadlineMs,
    retry: { retryCodes: [] },
    // Streaming calls have retries of their own, with back-off: a hanging query took ten deadlines.
    retryRequestOptions: { retries: 0, noResponseRetries: 0 },
    // The client adds to them.
    otherArgs: { headers: { ...headers } },
  };

  const { load, connect, close } = firestoreClient(options);
  let batchGet: Promise<BatchGet<Document>> | undefined;
  const loadBatchGet = () => {
    batchGet ??= connect()
      .then((opened) => batchGetOf<Document>(opened, { deadlineMs: options.deadlineMs, headers }))
      .catch((error: unknown) => {
        batchGet = undefined;
        throw error;
      });
    return batchGet;
  };
  const listeners = firestoreListeners({ ...options, database });

  async function aggregate(
    structuredQuery: Record<string, unknown>,
    aggregations: { alias: string; [kind: string]: unknown }[],
  ) {
    const firestore = await connect();
    const request = { parent: root, structuredAggregationQuery: { structuredQuery, aggregations } };
    for await (const answer of firestore.runAggregationQuery(request as never, callOptions as never)) {
      const values = answer.result?.aggregateFields;
      if (values) return aggregations.map(({ alias }) => toNumber(values[alias]));
    }
    throw new ServiceError('store_unavailable', 'Firestore answered a count with nothing.');
  }

  return {
    root,

    listen: listeners.listen,

    async commit(writes) {
      const firestore = await connect();
      const [response] = await firestore.commit({ database, writes }, callOptions as never);
      const updatedAt = response.writeResults?.[0]?.updateTime ?? response.commitTime;
      if (!updatedAt) throw new ServiceError('store_unavailable', 'Firestore acknowledged a write without its time.');
      return { revision: toRevision(updatedAt), atMs: toMs(response.commitTime ?? updatedAt) };
    },

    async read(names, mask) {
      const request = { database, documents: [...names], ...(mask ? { mask: { fieldPaths: [...mask] } } : {}) };
      const found = new Map<string, Found | undefined>();
      const get = await loadBatchGet();
      await get(request, ({ found: document, missing, readTime }) => {
        if (document) found.set(document.name ?? '', { document, readAtMs: toMs(readTime ?? {}) });
        if (missing) found.set(missing, undefined);
      });
      return names.map((name) => {
        if (found.has(name)) return found.get(name);
        throw new ServiceError('store_unavailable', 'Firestore answered a read with nothing.');
      });
    },

    async query(structuredQuery, parent = root) {
      const firestore = await connect();
      const found: Found[] = [];
      for await (const answer of firestore.runQuery({ parent, structuredQuery }, callOptions as never)) {
        if (answer.document) found.push({ document: answer.document, readAtMs: toMs(answer.readTime) });
      }
      return found;
    },

    async count(structuredQuery) {
      const [count = 0] = await aggregate(structuredQuery, [{ alias: 'n0', count: {} }]);
      return count;
    },

    sums(structuredQuery, fields) {
      const sum = (fieldPath: string, index: number) => ({ alias: `n${index}`, sum: { field: { fieldPath } } });
      return aggregate(structuredQuery, fields.map(sum));
    },

    async warm() {
      await load();
    },

    async close() {
      await Promise.all([close(), listeners.close()]);
    },
  };
}

function toNumber(value: Value | undefined): number {
  return Number(String(value?.integerValue ?? value?.doubleValue ?? 0));
}

/** An expected refusal becomes a value; a document that can never be stored and a missing answer become errors. */
export async function refusable<T, R extends string>(
  call: Promise<T>,
  refusals: Record<number, R>,
): Promise<{ value: T } | { refused: R }> {
  try {
    return { value: await call };
  } catch (error) {
    const refused = refusals[grpcCode(error)];
    if (refused !== undefined) return { refused };
    if (grpcCode(error) !== INVALID_ARGUMENT) throw unavailable(error);
    throw new ServiceError('result_unstorable', 'Firestore refuses this document as invalid.', { cause: error });
  }
}

/** What a call answers, or `store_unavailable`. */
export async function answered<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw unavailable(error);
  }
}

function unavailable(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause;
  return new ServiceError('store_unavailable', 'The store gave no answer.', { cause, retryAfterMs: 1_000 });
}

function grpcCode(error: unknown): number {
  return typeof error === 'object' && error !== null && 'code' in error ? Number(error.code) : -1;
}
