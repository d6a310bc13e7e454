/** How long jobs are kept after their end, and who may still see them. Pure. */
import type { Job, JobChanges } from './job.ts';

const DAY_MS = 86_400_000;
/** For a job type that has no reason for another. */
export const DEFAULT_RETENTION_MS = 30 * DAY_MS;
/** The least and the most that may be asked for, in seconds. */
export const RETENTION_RANGE: readonly [least: number, most: number] = [60, 90 * 86_400];
/** After readers lost sight of a job its document stays this long: what was used outlives what was said. */
const AUDIT_MS = 30 * DAY_MS;

/** When a job that is over at this instant expires, and when its document may go. */
export function keptUntil(job: Job, endedAt: number): Required<Pick<JobChanges, 'expiresAt' | 'deleteAt'>> {
  const expiresAt = endedAt + (job.retentionMs ?? DEFAULT_RETENTION_MS);
  return { expiresAt, deleteAt: expiresAt + AUDIT_MS };
}

/** Do readers no longer find the job? */
export function isGone({ expiresAt, deletedAt }: Job, nowMs: number): boolean {
  return deletedAt !== undefined || (expiresAt !== undefined && expiresAt <= nowMs);
}
