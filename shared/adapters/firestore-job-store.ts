/**
 * `JobStore` on Firestore, through the package's low-level `v1.FirestoreClient`: the high-level one retries a commit for
 * up to 600 s, and one that was given up on landed later. Here a call has a deadline and is made once.
 */
import type { v1 } from '@google-cloud/firestore';
import { ServiceError } from '../core/errors.ts';
import type { JobKey } from '../core/job.ts';
import type { JobStore, StoredJob, Written } from '../core/ports.ts';
import { firestoreCancelWatch } from './firestore-cancel-watch.ts';
import { type Fields, fromFields, inputOf, type Timestamp, toFields, toMs } from './firestore-document.ts';
import { dueQuery, JOB_FIELDS, listQuery } from './firestore-queries.ts';

export type FirestoreJobStoreOptions = {
  projectId: string;
  /** `(default)`, or a named database. */
  databaseId: string;
  /** `host:port` of the emulator; absent on Google Cloud. */
  emulatorHost?: string | undefined;
  /** A call without an answer after this long counts as of unknown fate. */
  deadlineMs: number;
  /** The due query asks for `wakeShard in [0..wakeShards-1]`; at most 30, Firestore's limit for `in`. */
  wakeShards: number;
};

type FirestoreClient = InstanceType<typeof v1.FirestoreClient>;
type Document = {
  name?: string | null;
  fields?: Fields | null;
  createTime?: Timestamp | null;
  updateTime?: Timestamp | null;
};
type Found = { document: Document; readAtMs: number };

/** gRPC status codes: the document exists, is not there, is not as presented, can never be stored. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const FAILED_PRECONDITION = 9;

export function firestoreJobStore(options: FirestoreJobStoreOptions): JobStore & { close(): Promise<void> } {
  const database = `projects/${options.projectId}/databases/${options.databaseId}`;
  const root = `${database}/documents`;
  const nameOf = ({ tenant, id }: JobKey) => `${root}/jobs/${tenant}~${id}`;
  const callOptions = {
    timeout: options.deadlineMs,
    retry: { retryCodes: [] },
    // Streaming calls (every read) have retries of their own, with back-off: a hanging read took ten deadlines.
    retryRequestOptions: { retries: 0, noResponseRetries: 0 },
    // The emulator's word for an administrator, whom no security rule stops.
    ...(options.emulatorHost ? { otherArgs: { headers: { Authorization: 'Bearer owner' } } } : {}),
  };

  let client: Promise<FirestoreClient> | undefined;
  const connect = () => {
    client ??= openClient(options).catch((error: unknown) => {
      client = undefined;
      throw error;
    });
    return client;
  };

  const cancels = firestoreCancelWatch(options);

  async function commit(write: Record<string, unknown>): Promise<Written> {
    const firestore = await connect();
    const [response] = await firestore.commit({ database, writes: [write] }, callOptions as never);
    const updatedAt = response.writeResults?.[0]?.updateTime;
    if (!updatedAt) throw new ServiceError('store_unavailable', 'Firestore acknowledged a write without its time.');
    return { revision: toRevision(updatedAt), atMs: toMs(response.commitTime ?? updatedAt) };
  }

  async function read(key: JobKey, mask?: string[]): Promise<Found | undefined> {
    const firestore = await connect();
    const request = { database, documents: [nameOf(key)], ...(mask ? { mask: { fieldPaths: mask } } : {}) };
    for await (const answer of firestore.batchGetDocuments(request, callOptions as never)) {
      if (answer.found) return { document: answer.found, readAtMs: toMs(answer.readTime) };
      if (answer.missing) return undefined;
    }
    throw new ServiceError('store_unavailable', 'Firestore answered a read with nothing.');
  }

  async function query(structuredQuery: Record<string, unknown>): Promise<Found[]> {
    const firestore = await connect();
    const found: Found[] = [];
    for await (const answer of firestore.runQuery({ parent: root, structuredQuery }, callOptions as never)) {
      if (answer.document) found.push({ document: answer.document, readAtMs: toMs(answer.readTime) });
    }
    return found;
  }

  return {
    async create(job, input) {
      const update = { name: nameOf(job), fields: toFields({ ...job, input }) };
      const answer = await refusable(commit({ update, currentDocument: { exists: false } }), {
        [ALREADY_EXISTS]: 'exists',
      });
      return 'refused' in answer ? answer : { created: answer.value };
    },

    async get(key) {
      const found = await answered(read(key, JOB_FIELDS));
      return found && toStored(found);
    },

    async getWithInput(key) {
      const found = await answered(read(key));
      return found && { ...toStored(found), input: inputOf(found.document.fields ?? {}) };
    },

    async update(key, revision, changes) {
      // A field in the mask that is not in the document is removed.
      const write = {
        update: { name: nameOf(key), fields: toFields(changes) },
        updateMask: { fieldPaths: Object.keys(changes) },
        currentDocument: { updateTime: fromRevision(revision) },
      };
      const answer = await refusable(commit(write), { [FAILED_PRECONDITION]: 'changed', [NOT_FOUND]: 'missing' });
      return 'refused' in answer ? answer : { written: answer.value };
    },

    async list(jobQuery) {
      const found = await answered(query(listQuery(jobQuery)));
      return found.map(({ document }) => fromFields(document.fields ?? {}));
    },

    async due(nowMs, limit) {
      const found = await answered(query(dueQuery(nowMs, limit, options.wakeShards)));
      return found.map(toStored);
    },

    watchCancels: (instance, onCancel) => cancels.watch(instance, onCancel),

    async close() {
      await Promise.all([client?.then((opened) => opened.close()), cancels.close()]);
    },
  };
}

function toStored({ document, readAtMs }: Found): StoredJob {
  const { fields, createTime, updateTime } = document;
  const storedAtMs = toMs(createTime ?? {});
  return { job: fromFields(fields ?? {}), revision: toRevision(updateTime ?? {}), readAtMs, storedAtMs };
}

function toRevision({ seconds, nanos }: Timestamp): string {
  return `${seconds ?? 0}.${nanos ?? 0}`;
}

function fromRevision(revision: string): Timestamp {
  const [seconds = '0', nanos = '0'] = revision.split('.');
  return { seconds, nanos: Number(nanos) };
}

/** An expected refusal becomes a value; a document that can never be stored and a missing answer become errors. */
async function refusable<T, R extends string>(
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

async function answered<T>(call: Promise<T>): Promise<T> {
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

async function openClient({ projectId, emulatorHost }: FirestoreJobStoreOptions): Promise<FirestoreClient> {
  const { default: firestore } = await import('@google-cloud/firestore');
  if (!emulatorHost) return new firestore.v1.FirestoreClient({ projectId });
  // The low-level client does not read FIRESTORE_EMULATOR_HOST; the emulator speaks gRPC without TLS.
  const { grpc } = await import('google-gax');
  const [servicePath = '127.0.0.1', port] = emulatorHost.split(':');
  return new firestore.v1.FirestoreClient({
    projectId,
    servicePath,
    port: Number(port),
    sslCreds: grpc.credentials.createInsecure(),
  });
}
