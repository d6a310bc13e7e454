/** `JobStore` on Firestore: one document per job in the collection `jobs`, named `<tenant>~<job_id>`. */

import { NOTHING_SPENT, type Spent } from '../core/costs.ts';
import { type JobKey, type JobState, jobName } from '../core/job.ts';
import { type JobStore, type JobUpdate, type StoredJob, USAGE_JOBS_MOST } from '../core/ports.ts';
import { accountWrites } from './firestore-accounts.ts';
import { cancelWrites, listenToCancels } from './firestore-cancels.ts';
import {
  ABORTED,
  ALREADY_EXISTS,
  answered,
  FAILED_PRECONDITION,
  type FirestoreDatabase,
  type Found,
  NOT_FOUND,
  refusable,
} from './firestore-database.ts';
import { fromFields, fromRevision, inputOf, toFields, toMs, toRevision } from './firestore-document.ts';
import { listedTarget, listenedList } from './firestore-listened-list.ts';
import {
  countQuery,
  dueQuery,
  JOB_FIELDS,
  listQuery,
  nextArmQuery,
  parkedQuery,
  usageQuery,
} from './firestore-queries.ts';
import { slotsIn, slotsName, slotWrites } from './firestore-slots.ts';

/** In one query Firestore sums up five fields at most, over those documents that have all of them. */
const SUMS_MOST = 5;
const SPENT = Object.keys(NOTHING_SPENT) as (keyof Spent)[];

const OTHER_CHANGED = { [FAILED_PRECONDITION]: 'changed', [NOT_FOUND]: 'changed', [ABORTED]: 'changed' } as const;

export type FirestoreJobStoreOptions = {
  /** The due query asks for `wakeShard in [0..wakeShards-1]`; at most 30, Firestore's limit for `in`. */
  wakeShards: number;
};

export function firestoreJobStore(database: FirestoreDatabase, { wakeShards }: FirestoreJobStoreOptions): JobStore {
  const nameOf = (key: JobKey) => `${database.root}/jobs/${jobName(key)}`;

  function changeOf({ key, revision, changes }: JobUpdate, dropped: readonly string[] = []) {
    return {
      update: { name: nameOf(key), fields: toFields(changes) },
      // A field in the mask that is not in the document is removed.
      updateMask: { fieldPaths: [...Object.keys(changes), ...dropped] },
      currentDocument: { updateTime: fromRevision(revision) },
    };
  }

  return {
    async create(job, input, { with: other } = {}) {
      const update = { name: nameOf(job), fields: toFields({ ...job, input }) };
      const writes = [{ update, currentDocument: { exists: false } }, ...(other ? [changeOf(other)] : [])];
      const answer = await refusable(database.commit(writes), {
        [ALREADY_EXISTS]: 'exists',
        // Of the other job; nothing was written. Without one these say nothing that a submitter could use.
        ...(other ? OTHER_CHANGED : {}),
      });
      return 'refused' in answer ? answer : { created: answer.value };
    },

    async get(key) {
      const [found] = await answered(database.read([nameOf(key)], JOB_FIELDS));
      return found && toStored(found);
    },

    async getWithInput(key) {
      const [found] = await answered(database.read([nameOf(key)]));
      return found && { ...toStored(found), input: inputOf(found.document.fields ?? {}) };
    },

    async getMany(keys) {
      // Firestore answers each document once, however often it is asked for.
      const found = await answered(database.read(keys.map(nameOf), JOB_FIELDS));
      return found.map((one) => one && toStored(one));
    },

    async inputs(keys) {
      const found = await answered(database.read(keys.map(nameOf), ['input']));
      return found.map((one) => one && (inputOf(one.document.fields ?? {}) ?? undefined));
    },

    async update(key, revision, changes, { dropInput = false, slot, account } = {}) {
      const write = changeOf({ key, revision, changes }, dropInput ? ['input'] : []);
      const { root } = database;
      const others = [
        ...slotWrites(root, key, changes, slot),
        ...accountWrites(root, key.tenant, changes.settled, account),
        ...cancelWrites(root, key, changes),
      ];
      const answer = await refusable(database.commit([write, ...others]), {
        [FAILED_PRECONDITION]: 'changed',
        // Of the slot set alone, which was not there when it was read.
        [ALREADY_EXISTS]: 'changed',
        // Nothing was written: too many wanted the same slot set, or account.
        [ABORTED]: 'changed',
        [NOT_FOUND]: 'missing',
      });
      return 'refused' in answer ? answer : { written: answer.value };
    },

    async list(query) {
      return (await answered(database.query(listQuery(query, database.root)))).map(toStored);
    },

    async countByState(query, nowMs) {
      const count = (state: JobState) => answered(database.count(countQuery(query, state, nowMs)));
      // Each count has a time of its own: in the order of a job's life none that moves on meanwhile is missed.
      const pending = await count('pending');
      const processing = await count('processing');
      const [completed, failed, cancelled] = await Promise.all([
        count('completed'),
        count('failed'),
        count('cancelled'),
      ]);
      return { pending, processing, completed, failed, cancelled };
    },

    async arms(query, limit) {
      const arms: string[] = [];
      while (arms.length < limit) {
        const [found] = await answered(database.query(nextArmQuery(query, arms.at(-1) ?? '')));
        const { arm } = found ? fromFields(found.document.fields ?? {}) : {};
        if (arm === undefined) break;
        arms.push(arm);
      }
      return arms;
    },

    async usage(query) {
      const asked = usageQuery(query);
      // A count of its own: a document of an older version spent nothing, and is a job.
      const jobs = await answered(database.count(asked));
      if (jobs === 0) return { ...NOTHING_SPENT, jobs };
      const parts = [SPENT.slice(0, SUMS_MOST), SPENT.slice(SUMS_MOST)];
      const sums = await Promise.all(
        parts.map((names) =>
          answered(
            database.sums(
              asked,
              names.map((name) => `spent.${name}`),
            ),
          ),
        ),
      );
      const spent = Object.fromEntries(SPENT.map((name, index) => [name, sums.flat()[index]])) as Spent;
      return { ...spent, jobs, ...(jobs >= USAGE_JOBS_MOST ? { isTruncated: true } : {}) };
    },

    async due(nowMs, limit) {
      return (await answered(database.query(dueQuery(nowMs, limit, wakeShards)))).map(toStored);
    },

    async slots(tenant) {
      const [found] = await answered(database.read([slotsName(database.root, tenant)]));
      return slotsIn(found);
    },

    async parked(tenant, parkedFor, limit) {
      return (await answered(database.query(parkedQuery(tenant, parkedFor, limit)))).map(toStored);
    },

    watchCancels(instance, onCancel) {
      return listenToCancels(database, instance, onCancel);
    },

    watch(key, onJob) {
      const name = nameOf(key);
      const target = { documents: { documents: [name] } };
      return database.listen({
        target: () => target,
        onSnapshot({ changes, readAtMs }) {
          const document = changes.get(name);
          onJob(document && toStored({ document, readAtMs }));
        },
      });
    },

    watchList(query, onJobs) {
      const list = listenedList(toStored);
      return database.listen({
        target: () => listedTarget(query, database.root),
        onSnapshot: (snapshot) => onJobs(list(snapshot)),
      });
    },
  };
}

function toStored({ document, readAtMs }: Found): StoredJob {
  const { fields, createTime, updateTime } = document;
  const storedAtMs = toMs(createTime ?? {});
  return { job: fromFields(fields ?? {}), revision: toRevision(updateTime ?? {}), readAtMs, storedAtMs };
}
