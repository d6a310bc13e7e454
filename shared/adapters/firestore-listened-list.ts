/** Lists as they are listened to: documents come and go, and the list is what is left, in its order. */
import type { NewestQuery, StoredJob } from '../core/ports.ts';
import type { Found } from './firestore-database.ts';
import { listQuery } from './firestore-queries.ts';
import type { Snapshot, Target } from './firestore-snapshots.ts';

/**
 * What `list` asks. Whole documents come, inputs and all: "'select' clauses are not supported for real-time queries", of
 * which the emulator says nothing.
 *
 * @see https://github.com/googleapis/nodejs-firestore/issues/1090
 */
export function listedTarget(query: NewestQuery, root: string): Target {
  const { select: _, ...structuredQuery } = listQuery({ ...query, offset: 0 }, root);
  return { query: { parent: root, structuredQuery } };
}

/** The jobs of such a target, snapshot after snapshot: those that have not changed are not read again. */
export function listenedList(toStored: (found: Found) => StoredJob): (snapshot: Snapshot) => StoredJob[] {
  const listed = new Map<string, StoredJob>();
  return ({ changes, readAtMs }) => {
    for (const [name, document] of changes) {
      if (document) listed.set(name, toStored({ document, readAtMs }));
      else listed.delete(name);
    }
    const newestFirst = [...listed].sort(
      ([name, { job }], [otherName, { job: other }]) => other.createdAt - job.createdAt || (otherName > name ? 1 : -1),
    );
    return newestFirst.map(([, stored]) => ({ ...stored, readAtMs }));
  };
}
