/**
 * The write log of a run, and what must hold of it. Every write that the store really made is here, with who made it;
 * most invariants are checked at the write, the others when the dust has settled.
 */
import { applyChanges, isTerminal, type Job, type JobChanges, type JobKey } from '../../shared/core/job.ts';
import { NOTICE_TRIES_MOST } from '../../shared/core/outbox-tries.ts';
import type { Clock, JobStore } from '../../shared/core/ports.ts';
import { routeOf, routesOf } from '../../shared/core/routes.ts';
import { LOSSES_MOST } from '../../shared/core/waking.ts';
import { equalOf } from './equal-jobs.ts';
import { wrongOfShared } from './shared-answers.ts';
import type { SlotCheck } from './slots.ts';

export type Write = { atMs: number; by: string; id: string; before: Job | undefined; after: Job };

export type WriteLog = {
  /** The store as one process writes it, beneath whatever faults it is given. */
  storeOf(by: string): JobStore;
  /** A process called the provider with a job's prompt; answers which job it is for: that one, or the one that was made of it. */
  called(id: string, by: string, model: string): string;
  /** The provider asked for patience with a job, on this model. */
  asked(id: string, model: string, waitMs: number): void;
  /** A client was told that its job was accepted, or its cancel. */
  accepted(id: string): void;
  cancelled(id: string, answered: Pick<Job, 'state' | 'cancelRequestedAt'>): void;
  /** A client was told that this job was made of its own. */
  redriven(id: string, redrivenAs: string): void;
  /** A client was told that its job was deleted. */
  deleted(id: string): void;
  writes: readonly Write[];
  /** Writes of a holder that were refused because the job had gone on without it. */
  zombieWrites(): number;
  jobs(): Job[];
  /** The job that was submitted, of which this one, or one before it, was made. */
  rootOf(id: string): string;
  calls(id: string): number;
  recordedCalls(id: string): number;
  /** What did not hold so far; `settled` adds what must hold when all is over. */
  violations: readonly string[];
  settled(): readonly string[];
};

const WRITES_MOST = 1_000;
const SAID = ['result', 'tags', 'metadata', 'questionId', 'projectId', 'batchId'] as const;
const VISIBLE = [
  'state',
  'stage',
  'attempts',
  'error',
  'result',
  'cancelRequestedAt',
  'nextAttemptAt',
  'parkedFor',
] as const;

const OF_TELLING = ['outbox', 'wakeAt', 'deliveries'];

/** Does this write change nothing but what others were told? */
function isOfTelling(before: Job, after: Job, changes: JobChanges): boolean {
  const isOther = (field: keyof Job) => JSON.stringify(before[field]) !== JSON.stringify(after[field]);
  const fields = Object.keys(changes) as (keyof Job)[];
  return 'outbox' in changes && fields.filter(isOther).every((field) => OF_TELLING.includes(field));
}

/** Is there still something to remove (`store: false`)? */
function holdsPayloads({ store, deletedAt, payloadsRemovedAt }: Job): boolean {
  return store === false && deletedAt === undefined && payloadsRemovedAt === undefined;
}

/** `money` answers what does not hold of the accounts. */
export function writeLog(real: JobStore, clock: Clock, slots: SlotCheck, money: () => string[]): WriteLog {
  const jobs = new Map<string, Job>();
  const writes: Write[] = [];
  const violations: string[] = [];
  const owners = new Map<string, string>();
  const calls = new Map<string, number>();
  const recorded = new Map<string, Map<number, number>>();
  /** What a provider asked, as the worker heard it, and as it is binding: a worker that dies with it told nobody. */
  const heard = new Map<string, number>();
  const notBefore = new Map<string, number>();
  const acceptedIds = new Set<string>();
  const cancelledIds = new Set<string>();
  let zombieWrites = 0;

  const onRoute = (id: string, model: string) => `${id} ${model}`;
  const fail = (rule: string, id: string, what: string) => void violations.push(`${rule} ${id}: ${what}`);
  const callsRecorded = (id: string) => [...(recorded.get(id)?.values() ?? [])].reduce((sum, n) => sum + n, 0);

  function note(by: string, before: Job | undefined, after: Job, changes: JobChanges): void {
    const { id } = after;
    const nowMs = clock.nowMs();
    writes.push({ atMs: nowMs, by, id, before, after });
    jobs.set(id, after);
    const perAttempt = recorded.get(id) ?? new Map<number, number>();
    for (const { n, calls: made } of after.attempts) perAttempt.set(n, made);
    recorded.set(id, perAttempt);
    if (changes.token !== undefined) {
      owners.set(changes.token, by);
      for (const { model } of routesOf(after)) heard.delete(onRoute(id, model.model));
    } else if (changes.sequence !== undefined && changes.nextAttemptAt !== undefined) {
      const until = heard.get(onRoute(id, routeOf(after).model.model)) ?? 0;
      if (changes.nextAttemptAt < until) fail('P01', id, 'its next attempt is set earlier than the provider asked');
      for (const { model } of routesOf(after)) {
        const on = onRoute(id, model.model);
        notBefore.set(on, Math.max(notBefore.get(on) ?? 0, heard.get(on) ?? 0));
      }
    }
    // What goes on being wrong is said once.
    const wrong = [...slots.wrong().map((what) => `I7 ${what}`), ...money()];
    violations.push(...wrong.filter((what) => !violations.includes(what)));
    const isSettled = isTerminal(after.state) && !holdsPayloads(after) && after.outbox === undefined;
    if ((after.wakeAt === null) !== isSettled) {
      fail('I3', id, 'nobody will look at it again');
    }
    if (!before) return;
    if (isOfTelling(before, after, changes)) {
      if ((after.outbox?.tries ?? 0) > NOTICE_TRIES_MOST) fail('R07', id, `${by} tried too often`);
      return;
    }

    const isDelete = changes.deletedAt !== undefined && before.deletedAt === undefined;
    const isOfPayloads = changes.payloadsExpireAt !== undefined || changes.payloadsRemovedAt !== undefined;
    const isRedrive = changes.redrivenAs !== undefined;
    if (isRedrive) checkRedrive(by, before, changes);
    const isOfEnded = (isDelete || isOfPayloads || isRedrive) && changes.state === undefined && !changes.attempts;
    const isLate = isTerminal(before.state) && !isOfEnded;
    if (isLate) fail('I1', id, `${by} changed a job that was ${before.state}`);
    checkDeleted(by, before, after);
    if (changes.token !== undefined && (before.leaseExpiresAt ?? 0) > nowMs) fail('I2', id, `${by} claimed a held job`);
    if (changes.token === undefined && changes.sequence !== undefined && owners.get(before.token) !== by) {
      fail('I2', id, `${by} wrote under the lease of ${owners.get(before.token)}`);
    }
    if (callsRecorded(id) < (calls.get(id) ?? 0)) fail('I4', id, 'a call that was made is not recorded any more');
    if (after.version < before.version) fail('I8', id, 'the version fell');
    // When the next look is due, nobody is shown.
    const shown = VISIBLE.filter((field) => field !== 'nextAttemptAt' || !(before.upstream ?? after.upstream));
    const isVisible = shown.some((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]));
    if (isVisible && after.version === before.version) fail('I8', id, 'a visible change kept the version');
    if (after.state === 'pending' && before.state !== 'pending') fail('I8', id, 'the state went back');
    const expected = after.attempts.map((_, index) => after.attempt - after.attempts.length + 1 + index);
    if (after.attempts.some(({ n }, index) => n !== expected[index])) fail('I9', id, 'attempts have gaps');
    if ((after.losses ?? 0) > LOSSES_MOST) fail('I9', id, 'too many losses');
    if (isTerminal(after.state) && after.attempts.some(({ endedAt }) => endedAt === undefined)) {
      fail('I9', id, 'an attempt of a job that is over has no end');
    }
    if (before.cancelRequestedAt !== undefined && isTerminal(after.state) && after.state !== 'cancelled') {
      fail('I10', id, `it ended ${after.state} though a cancel was accepted`);
    }
  }

  /** Of a job that ended without an answer one other is made, and that is all that changes of it. */
  function checkRedrive(by: string, { id, state, redrivenAs }: Job, changes: JobChanges): void {
    if (state !== 'failed' && state !== 'cancelled') fail('R08', id, `${by} redrove it when it was ${state}`);
    if (redrivenAs !== undefined) fail('R08', id, `${by} redrove it again`);
    const others = Object.keys(changes).filter((field) => !['redrivenAs', 'version', ...OF_TELLING].includes(field));
    if (others.length > 0) fail('R08', id, `${by} changed ${others} with it`);
  }

  /** Nothing that was said of a deleted job comes back, and it does not end as if nothing had happened. */
  function checkDeleted(by: string, before: Job, after: Job): void {
    const { id, deletedAt, error, fingerprint, state } = after;
    if (before.deletedAt !== undefined && deletedAt !== before.deletedAt) fail('I12', id, `${by} deleted it otherwise`);
    if (deletedAt === undefined) return;
    const left = SAID.filter((field) => after[field] !== undefined);
    if (left.length > 0 || fingerprint !== '') fail('I12', id, `${by} wrote ${left} to a job that was deleted`);
    if (error && error.message !== 'Deleted') fail('I12', id, `${by} wrote an error to a job that was deleted`);
    const isEnd = isTerminal(state) && !isTerminal(before.state);
    if (isEnd && state !== 'cancelled') fail('I10', id, `it ended ${state} though it was deleted`);
  }

  function rootOf(id: string): string {
    const { redriveOf } = jobs.get(id) ?? {};
    return redriveOf === undefined ? id : rootOf(redriveOf);
  }

  /** Of equal jobs that one process has, which one calls: the one whose recorded call was not made yet. */
  function leaderOf(prompt: string, by: string): string {
    const own = [...jobs.values()].filter((job) => equalOf(rootOf(job.id)) === prompt && owners.get(job.token) === by);
    const waiting = own.filter(({ id, state }) => !isTerminal(state) && callsRecorded(id) > (calls.get(id) ?? 0));
    return (waiting.at(-1) ?? own.at(-1))?.id ?? prompt;
  }

  function storeOf(by: string): JobStore {
    return {
      ...real,
      async create(job, input, options = {}) {
        const answer = await real.create(job, input, options);
        if (!('created' in answer)) return answer;
        note(by, undefined, job, job);
        const { with: other } = options;
        const before = other && jobs.get(other.key.id);
        if (before) note(by, before, applyChanges(before, other.changes), other.changes);
        return answer;
      },
      async update(key: JobKey, revision, changes, options) {
        const answer = await real.update(key, revision, changes, options);
        const before = jobs.get(key.id);
        if ('written' in answer && changes.deletedAt !== undefined && !options?.dropInput) {
          fail('I12', key.id, `${by} deleted it and left its input`);
        }
        if ('written' in answer && changes.payloadsRemovedAt !== undefined && !options?.dropInput) {
          fail('I12', key.id, `${by} removed its payloads and left its input`);
        }
        if ('written' in answer && before) note(by, before, applyChanges(before, changes), changes);
        else if (changes.sequence !== undefined && before && changes.token === undefined) {
          if (owners.get(before.token) !== by || isTerminal(before.state)) zombieWrites += 1;
        }
        return answer;
      },
    };
  }

  return {
    storeOf,
    writes,
    violations,
    zombieWrites: () => zombieWrites,
    jobs: () => [...jobs.values()],
    calls: (id) => calls.get(id) ?? 0,
    recordedCalls: callsRecorded,
    rootOf,
    called(prompted, by, model) {
      let id = prompted.startsWith('equal-') ? leaderOf(prompted, by) : prompted;
      for (let job = jobs.get(id); job?.redrivenAs !== undefined; job = jobs.get(id)) id = job.redrivenAs;
      const job = jobs.get(id);
      calls.set(id, (calls.get(id) ?? 0) + 1);
      if (!job || isTerminal(job.state)) fail('I1', id, `${by} made a call for a job that was over`);
      else if (owners.get(job.token) !== by) fail('I2', id, `${by} made a call under the lease of another`);
      else if ((job.leaseExpiresAt ?? 0) <= clock.nowMs()) fail('I2', id, `${by} made a call after its lease ended`);
      if ((calls.get(id) ?? 0) > callsRecorded(id)) fail('I4', id, 'a call was made before it was recorded');
      if (clock.nowMs() < (notBefore.get(onRoute(id, model)) ?? 0))
        fail('P01', id, 'it was called earlier than the provider asked');
      return id;
    },
    asked: (id, model, waitMs) => void heard.set(onRoute(id, model), clock.nowMs() + waitMs),
    accepted: (id) => void acceptedIds.add(id),
    cancelled(id, answered) {
      if (answered.state === 'cancelled' || answered.cancelRequestedAt !== undefined) cancelledIds.add(id);
      else if (!isTerminal(answered.state)) fail('I10', id, 'a cancel was answered and nothing was asked of the job');
    },
    redriven(id, redrivenAs) {
      if (jobs.get(id)?.redrivenAs !== redrivenAs) fail('R08', id, 'a redrive was answered with another job');
      acceptedIds.add(redrivenAs);
    },
    deleted(id) {
      if (jobs.get(id)?.deletedAt === undefined) fail('I12', id, 'a delete was answered, and the job is there');
    },
    settled() {
      checkEnds();
      if (slots.left() > 0) violations.push(`I7 ${slots.left()} slots are left`);
      violations.push(...money());
      return violations;
    },
  };

  function checkEnds(): void {
    for (const id of acceptedIds) {
      const job = jobs.get(id);
      if (!job) fail('I3', id, 'it was accepted and is not there');
      else if (!isTerminal(job.state)) fail('I3', id, `it never ended: ${JSON.stringify(job)}`);
    }
    for (const id of cancelledIds) {
      if (jobs.get(id)?.state !== 'cancelled') fail('I10', id, `it ended ${jobs.get(id)?.state} after a cancel`);
    }
    violations.push(...wrongOfShared([...jobs.values()]));
    for (const { id, redriveOf, redrivenAs } of jobs.values()) {
      if (redrivenAs !== undefined && jobs.get(redrivenAs)?.redriveOf !== id) fail('R08', id, 'nothing was made of it');
      if (redriveOf !== undefined && jobs.get(redriveOf)?.redrivenAs !== id)
        fail('R08', id, 'what it is of has another');
      const many = writes.filter((write) => write.id === id).length;
      if (many > WRITES_MOST) fail('I11', id, `${many} writes`);
    }
  }
}
