/** Makes the indexes of `infra/firestore.json` on a database, through Firestore's admin API, and waits for them. */
import firestore from '../../infra/firestore.json' with { type: 'json' };
import { StepError } from '../../infra/operating.ts';
import { drawProgress } from '../../shared/client/progress-bar.ts';
import type { FirestoreIndexes } from '../support/firestore-indexes.ts';

const ORDERS: Readonly<Record<string, string>> = { asc: 'ASCENDING', desc: 'DESCENDING' };

type Operation = { name: string; done?: boolean; error?: { message: string } };
type Call = { method: 'POST' | 'PATCH'; path: string; body: object };

export type IndexOptions = {
  project: string;
  database: string;
  /** A request's credentials. */
  headers: () => Promise<Headers>;
  /** Pauses of this length, between two questions and after a refusal of one too many. */
  pauseMs?: number;
  baseUrl?: string;
  indexes?: FirestoreIndexes;
};

/** What to call for these rows, below a database. No TTL: a database that goes needs none. */
export function callsFor({ indexes, fields }: FirestoreIndexes): Call[] {
  return [
    ...indexes.map(({ collection, fields }): Call => {
      const path = `collectionGroups/${collection}/indexes`;
      return { method: 'POST', path, body: { queryScope: 'COLLECTION', fields: fields.map(toField) } };
    }),
    ...fields.map(({ collection, field, indexes }): Call => {
      const path = `collectionGroups/${collection}/fields/${encodeURIComponent(field)}?updateMask=indexConfig`;
      const kept = indexes.map((index) => {
        const [way = '', group] = index.split(' ');
        const queryScope = group === undefined ? 'COLLECTION' : 'COLLECTION_GROUP';
        return { queryScope, fields: [toField(`${field} ${way}`)] };
      });
      return { method: 'PATCH', path, body: { indexConfig: { indexes: kept } } };
    }),
  ];
}

function toField(written: string) {
  const [fieldPath, way = 'asc'] = written.split(' ');
  return way === 'contains' ? { fieldPath, arrayConfig: 'CONTAINS' } : { fieldPath, order: ORDERS[way] };
}

/** Resolves when all of them serve queries. Those that are there already stay. */
export async function makeIndexes(options: IndexOptions): Promise<void> {
  const { project, database, pauseMs = 5_000, baseUrl = 'https://firestore.googleapis.com/v1' } = options;
  const pause = () => new Promise((resolve) => setTimeout(resolve, pauseMs));

  async function ask(path: string, method = 'GET', body?: object): Promise<Operation | undefined> {
    for (;;) {
      const headers = new Headers(await options.headers());
      headers.set('content-type', 'application/json');
      headers.set('x-goog-user-project', project);
      const response = await fetch(`${baseUrl}/${path}`, { method, headers, body: body ? JSON.stringify(body) : null });
      if (response.ok) return (await response.json()) as Operation;
      const text = await response.text();
      if (text.includes('ALREADY_EXISTS')) return undefined;
      // Too many of them, or another of the same database.
      if (![409, 429, 503].includes(response.status)) {
        throw new StepError(`${method} ${path} answered ${response.status}: ${text.slice(0, 500)}`);
      }
      await pause();
    }
  }

  const calls = callsFor(options.indexes ?? firestore);
  const open: string[] = [];
  // One after the other: a database takes few of them at a time.
  for (const { method, path, body } of calls) {
    const operation = await ask(`projects/${project}/databases/${database}/${path}`, method, body);
    if (operation && !isOver(operation)) open.push(operation.name);
  }
  let left = open;
  drawProgress(calls.length - left.length, calls.length);
  while (left.length > 0) {
    await pause();
    const answers = await Promise.all(left.map((name) => ask(name)));
    left = left.filter((_, n) => !isOver(answers[n]));
    drawProgress(calls.length - left.length, calls.length);
  }
}

function isOver(operation: Operation | undefined): boolean {
  if (operation?.error) throw new StepError(`${operation.name} failed: ${operation.error.message}`);
  return operation?.done === true;
}
