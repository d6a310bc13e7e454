/** Leaders and followers: whose answer will do, who is waited for, and who waits. Pure. */
import type { Seen } from './access.ts';
import { isTerminal, type Job } from './job.ts';
import { isLeaseAlive } from './leases.ts';
import { limitsOf } from './limits.ts';
import { DEFAULT_RETENTION_MS, isGone } from './retention.ts';

const PREFIX = 'answer:';

/**
 * What a job is parked for that waits for the answer of this one: of whoever leads under its key, be it this one or the next;
 * of this one alone where its document does not say yet that it leads.
 */
export function awaitedAs({ id, leads }: Pick<Job, 'id' | 'leads'>): string {
  return `${PREFIX}${leads ?? id}`;
}

/** Does the job wait for the answer to an equal one? */
export function awaitsAnswer({ parkedFor }: Pick<Job, 'parkedFor'>): boolean {
  return parkedFor?.startsWith(PREFIX) ?? false;
}

/** May an equal job have the answer of this one, or this one that of another? What is kept nowhere is shared with nobody. */
export function isShared({ cacheMs, store }: Job): boolean {
  return cacheMs !== undefined && store !== false;
}

/**
 * What a leader is to an equal job for which an answer of this age will do. `good`: its answer will do. `held`: somebody works
 * on it, or is about to. `waiting`: it is not over, and nobody does: it waits for its next attempt, a slot, its provider.
 * `useless`: it has no answer, and will have none; the first one who asks leads in its place.
 */
export type Standing = 'good' | 'held' | 'waiting' | 'useless';

export function standingOf(leader: Seen | undefined, cacheMs: number): Standing {
  if (!leader) return 'useless';
  const { job, nowMs } = leader;
  if (isGone(job, nowMs)) return 'useless';
  if (!isTerminal(job.state)) return isWorkedOn(leader) ? 'held' : 'waiting';
  return hasOwnAnswer(job) && (job.completedAt ?? 0) + cacheMs > nowMs ? 'good' : 'useless';
}

function isWorkedOn({ job, nowMs }: Seen): boolean {
  if (isLeaseAlive(job, nowMs)) return true;
  // It became the leader just before its claim.
  return job.state === 'pending' && job.parkedFor === undefined && (job.nextAttemptAt ?? 0) <= nowMs;
}

/** Not the result of its job type, in whose place its last call failed, nor one that was removed. */
export function hasOwnAnswer({ state, attempts, result, parts }: Job): boolean {
  const isAnswered = state === 'completed' && attempts.at(-1)?.outcome === 'completed';
  return isAnswered && (result !== undefined || parts?.result !== undefined);
}

/** When it may be forgotten who leads: nobody would be given its answer any more. */
export function leadsUntil(job: Job, storedAtMs: number): number {
  return storedAtMs + limitsOf(job).timeoutMs + (job.retentionMs ?? DEFAULT_RETENTION_MS);
}
