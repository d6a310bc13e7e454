/**
 * `PartStore` on Firestore: the collection `parts` below a job's document, whose documents' names are `<set>-0001`. Their
 * TTL field is `deleteAt`: TTL takes no subcollections. `unchecked` asks all these collections at once, which needs the
 * single-field index of `checkAt` with collection group scope.
 */
import { type JobKey, jobName } from '../core/job.ts';
import type { PartSetKey, PartStore } from '../core/part-store.ts';
import { ALREADY_EXISTS, answered, type FirestoreDatabase, NOT_FOUND, refusable } from './firestore-database.ts';
import { toFields, type Value } from './firestore-document.ts';

const DIGITS = 4;
/** Of one commit. */
const REMOVED_AT_ONCE = 300;

export function firestorePartStore(database: FirestoreDatabase): PartStore {
  const jobs = `${database.root}/jobs/`;
  const jobOf = (key: JobKey) => `${jobs}${jobName(key)}`;
  const partOf = (key: PartSetKey, n: number) => `${jobOf(key)}/parts/${key.set}-${String(n).padStart(DIGITS, '0')}`;

  /** From a document's name; no id has a tilde, and no job's name a slash. */
  function setOf(name: string): PartSetKey {
    const [job = '', , part = ''] = name.slice(jobs.length).split('/');
    const tilde = job.lastIndexOf('~');
    return { tenant: job.slice(0, tilde), id: job.slice(tilde + 1), set: part.slice(0, -DIGITS - 1) };
  }

  return {
    async put(key, part) {
      const fields = toFields({ set: key.set, ...part });
      // What is there stays: a part never changes.
      const write = { update: { name: partOf(key, part.n), fields }, currentDocument: { exists: false } };
      await refusable(database.commit([write]), { [ALREADY_EXISTS]: 'exists' });
    },

    async get(key, n) {
      const [found] = await answered(database.read([partOf(key, n)], ['text']));
      return found?.document.fields?.text?.stringValue ?? undefined;
    },

    async check(key, checkAt) {
      const write = {
        update: { name: partOf(key, 1), fields: toFields({ checkAt: checkAt ?? undefined }) },
        updateMask: { fieldPaths: ['checkAt'] },
        currentDocument: { exists: true },
      };
      await refusable(database.commit([write]), { [NOT_FOUND]: 'missing' });
    },

    async unchecked(nowMs, limit) {
      const query = {
        ...NAMES,
        from: [{ collectionId: 'parts', allDescendants: true }],
        where: compare('checkAt', 'LESS_THAN_OR_EQUAL', toFields({ checkAt: nowMs }).checkAt),
        orderBy: [{ field: { fieldPath: 'checkAt' }, direction: 'ASCENDING' }],
        limit: { value: limit },
      };
      return (await answered(database.query(query))).map(({ document }) => setOf(document.name ?? ''));
    },

    async remove({ set, ...key }) {
      const query = {
        ...NAMES,
        from: [{ collectionId: 'parts' }],
        ...(set === undefined ? {} : { where: compare('set', 'EQUAL', { stringValue: set }) }),
        limit: { value: REMOVED_AT_ONCE },
      };
      for (;;) {
        const found = await answered(database.query(query, jobOf(key)));
        if (found.length > 0) await answered(database.commit(found.map(({ document }) => ({ delete: document.name }))));
        if (found.length < REMOVED_AT_ONCE) return;
      }
    },
  };
}

/** Of the documents their names alone: texts are large. */
const NAMES = { select: { fields: [{ fieldPath: '__name__' }] } };

function compare(fieldPath: string, op: string, value: Value | undefined) {
  return { fieldFilter: { field: { fieldPath }, op, value } };
}
