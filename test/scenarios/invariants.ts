/** What must hold after every scenario, whatever happened in it: DESIGN 4, "Guarantees", on the log of all writes. */
import { expect } from 'vitest';
import { isAttached } from '../../shared/core/attempts.ts';
import { isTerminal, type Job, type JobChanges, type JobState, type Json } from '../../shared/core/job.ts';
import type { JobStore, JobUpdate, StoredJob, Written } from '../../shared/core/ports.ts';

const OF_TELLING = ['outbox', 'wakeAt', 'deliveries'];

/** An update that reached the store: who made it, and the revision it made, or why it was refused. */
export type RecordedWrite = {
  by: string;
  id: string;
  changes: JobChanges;
  revision?: string;
  atMs?: number;
  refused?: string;
};

/** The store, with every update that reaches it and its answer noted in `writes`. */
export function recorded(store: JobStore, by: string, writes: RecordedWrite[]): JobStore {
  return {
    ...store,
    async create(job, input, options = {}) {
      const answer = await store.create(job, input, options);
      const { with: other } = options;
      // Both documents of a commit are of one revision on Firestore; on SQLite each counts its own.
      const next = ({ revision }: JobUpdate, { created }: { created: Written }) =>
        revision.includes('.') ? created : { ...created, revision: String(Number(revision) + 1) };
      if (!other) return answer;
      const outcome = 'created' in answer ? next(other, answer) : { refused: answer.refused };
      writes.push({ by, id: other.key.id, changes: other.changes, ...outcome });
      return answer;
    },
    async update(key, revision, changes, options) {
      const answer = await store.update(key, revision, changes, options);
      const outcome = 'written' in answer ? answer.written : { refused: answer.refused };
      writes.push({ by, id: key.id, changes, ...outcome });
      return answer;
    },
  };
}

/** Checks one job at the end: `writes` are its own, `calls` is how often the provider was called for it. */
export function checkInvariants(
  { job, input }: StoredJob & { input: Json },
  writes: readonly RecordedWrite[],
  calls: number,
): void {
  const committed = writes.filter(({ revision }) => revision !== undefined);
  committed.sort((left, right) => compareRevisions(left.revision ?? '', right.revision ?? ''));
  checkTransitions(job, committed);
  // Someone looks again exactly as long as there is something to do.
  const holdsPayloads = job.store === false && job.deletedAt === undefined && job.payloadsRemovedAt === undefined;
  expect(job.wakeAt === null, `wakeAt of a job that is ${job.state}`).toBe(
    isTerminal(job.state) && !holdsPayloads && job.outbox === undefined,
  );
  if (job.payloadsRemovedAt !== undefined) checkRemoved(job, input);
  if (job.upstream) expect(isAttached(job), 'what a provider works on is of an attempt that goes on').toBe(true);
  const numbers = job.attempts.map(({ n }) => n);
  const first = job.attempt - numbers.length + 1;
  expect(numbers, 'attempts are numbered without gaps').toEqual(numbers.map((_, index) => first + index));
  if (first === 1) {
    expect(calls, 'no call without a record').toBeLessThanOrEqual(callsRecorded(job));
  }
  if (job.deletedAt !== undefined) checkErased(job, input);
  if (!isTerminal(job.state)) return;
  for (const { n, endedAt, outcome } of job.attempts) {
    expect([endedAt, outcome], `attempt ${n} of a job that is over has ended`).not.toContain(undefined);
  }
}

/** Nothing that was said is left of a deleted job, whoever wrote to it since. */
function checkErased(job: Job, input: Json): void {
  expect(input, 'the input of a deleted job').toBeNull();
  for (const field of ['result', 'tags', 'metadata', 'questionId', 'projectId', 'batchId', 'leads'])
    expect(job).not.toHaveProperty(field);
  expect(job.error?.message ?? 'Deleted').toBe('Deleted');
  expect(job.fingerprint).toBe('');
}

/** Nothing that was asked or answered is left of a job whose payloads were removed. */
function checkRemoved(job: Job, input: Json): void {
  expect(input, 'the input of a job whose payloads were removed').toBeNull();
  expect(job).not.toHaveProperty('result');
  expect(job.fingerprint).toBe('');
}

/** How many calls a job's attempts record. */
export function callsRecorded(job: Job): number {
  return job.attempts.reduce((sum, { calls }) => sum + calls, 0);
}

function checkTransitions(job: Job, committed: readonly RecordedWrite[]): void {
  const rank: Record<JobState, number> = { pending: 0, processing: 1, completed: 2, failed: 2, cancelled: 2 };
  let state: JobState = 'pending';
  let version = 0;
  let deletes = 0;
  let redrives = 0;
  let isDeleted = false;
  for (const { by, changes } of committed) {
    // Telling others is no change of the job.
    const own = Object.keys(changes).filter((field) => !OF_TELLING.includes(field));
    if (own.length === 0) continue;
    expect(isDeleted, `${by} wrote ${JSON.stringify(changes)} to a job that was deleted and over`).toBe(false);
    const isDelete = changes.deletedAt !== undefined;
    const isOfPayloads = changes.payloadsExpireAt !== undefined || changes.payloadsRemovedAt !== undefined;
    const isRedrive = changes.redrivenAs !== undefined;
    if (isRedrive) checkRedrive(by, state, changes);
    redrives += isRedrive ? 1 : 0;
    const isOfEnded = isDelete || isOfPayloads || isRedrive;
    const mayChange =
      !isTerminal(state) || (isOfEnded && changes.state === undefined && changes.attempts === undefined);
    expect(mayChange, `${by} wrote ${JSON.stringify(changes)} to a job that was ${state}`).toBe(true);
    const next: JobState = changes.state ?? state;
    expect(rank[next], `from ${state} to ${next}`).toBeGreaterThanOrEqual(rank[state]);
    if (changes.version !== undefined) expect(changes.version).toBeGreaterThan(version);
    version = changes.version ?? version;
    state = next;
    deletes += isDelete ? 1 : 0;
    isDeleted = deletes > 0 && isTerminal(state);
  }
  expect(deletes, 'a job is deleted once').toBeLessThanOrEqual(1);
  expect(redrives, 'a job is redriven once').toBeLessThanOrEqual(1);
  if (committed.length > 0 && isTerminal(state)) expect(job.state).toBe(state);
}

/** Only of a job that ended without an answer, and nothing else of it changes. */
function checkRedrive(by: string, state: JobState, changes: JobChanges): void {
  expect(['failed', 'cancelled'], `${by} redrove a job that was ${state}`).toContain(state);
  expect(
    Object.keys(changes)
      .filter((field) => !OF_TELLING.includes(field))
      .sort(),
  ).toEqual(['redrivenAs', 'version']);
}

/** Firestore's are `seconds.nanos`, SQLite's a number. */
function compareRevisions(left: string, right: string): number {
  const [leftSeconds = 0, leftNanos = 0] = left.split('.').map(Number);
  const [rightSeconds = 0, rightNanos = 0] = right.split('.').map(Number);
  return leftSeconds - rightSeconds || leftNanos - rightNanos;
}
