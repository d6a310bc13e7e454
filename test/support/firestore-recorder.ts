/** A Firestore database that answers next to nothing, and keeps what the adapters asked of it, and where they asked. */
import { basename } from 'node:path';
import type { FirestoreDatabase } from '../../shared/adapters/firestore-database.ts';

export type StructuredQuery = {
  from?: { collectionId?: string; allDescendants?: boolean }[];
  where?: Filter;
  orderBy?: { field?: { fieldPath?: string }; direction?: string }[];
  select?: { fields?: { fieldPath?: string }[] };
};
export type Filter = {
  compositeFilter?: { filters?: Filter[] };
  fieldFilter?: { field?: { fieldPath?: string }; op?: string };
};
/** `sums`: the fields that are summed up over what it finds. */
export type RecordedQuery = { query: StructuredQuery; sums: readonly string[] };
/** The top-level fields that were written into a document of a collection. */
export type RecordedWrite = { collection: string; fields: string[] };

export type FirestoreRecorder = {
  database: FirestoreDatabase;
  queries: RecordedQuery[];
  writes: RecordedWrite[];
  /** The calls of the adapters, each as `<file>:<line> <method>`. */
  sites: Set<string>;
};

type Write = {
  update?: { name: string; fields: object };
  updateTransforms?: { fieldPath: string }[];
  delete?: string;
};

export function firestoreRecorder(): FirestoreRecorder {
  const root = 'projects/p/databases/(default)/documents';
  const queries: RecordedQuery[] = [];
  const writes: RecordedWrite[] = [];
  const sites = new Set<string>();

  function note(method: string): void {
    const frames = (new Error().stack ?? '').split('\n');
    const [, file, line] = frames.map((frame) => /([^/\s(]+):(\d+):\d+\)?$/.exec(frame)).find(isOfAdapter) ?? [];
    sites.add(`${file}:${line} ${method}`);
  }
  const ask = (method: string, query: object, sums: readonly string[] = []) => {
    note(method);
    queries.push({ query, sums });
  };

  const database: FirestoreDatabase = {
    root,
    async commit(given) {
      note('commit');
      for (const { update, updateTransforms = [] } of given as Write[]) {
        if (!update) continue;
        const fields = [...Object.keys(update.fields), ...updateTransforms.map(({ fieldPath }) => fieldPath)];
        writes.push({
          collection: collectionOf(update.name),
          fields: fields.map((path) => path.split('.')[0] ?? path),
        });
      }
      return { revision: '1.0', atMs: 1 };
    },
    async read(names) {
      // Every document is there, and empty.
      return names.map((name) => ({ document: { name, fields: {}, updateTime: { seconds: 1 } }, readAtMs: 1 }));
    },
    async query(query, parent = root) {
      ask('query', query);
      const { from, select } = query as StructuredQuery;
      // Where names alone are asked for something is done with them.
      const isNames = select?.fields?.[0]?.fieldPath === '__name__';
      return isNames ? [{ document: { name: `${parent}/${from?.[0]?.collectionId}/set-0001` }, readAtMs: 1 }] : [];
    },
    async count(query) {
      ask('count', query);
      return 1;
    },
    async sums(query, fields) {
      ask('sums', query, fields);
      return fields.map(() => 0);
    },
    listen({ target }) {
      note('listen');
      const asked = target();
      // A document's is the name of it, and needs no index.
      if ('query' in asked) queries.push({ query: asked.query.structuredQuery, sums: [] });
      return () => {};
    },
    async warm() {},
    async close() {},
  };
  return { database, queries, writes, sites };
}

function isOfAdapter(match: RegExpExecArray | null): boolean {
  return match !== null && /^firestore-(?!recorder)[\w-]+\.ts$/.test(basename(match[1] ?? ''));
}

/** Of `…/jobs/<name>/parts/<name>`: `parts`. */
function collectionOf(name: string): string {
  return name.split('/').at(-2) ?? '';
}
