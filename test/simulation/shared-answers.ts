/** Q04: what must hold of jobs that share answers, when all is over. */
import { isTerminal, type Job } from '../../shared/core/job.ts';

export function wrongOfShared(jobs: readonly Job[]): string[] {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  return [...jobs.flatMap((job) => wrongOfAnswered(job, byId)), ...wrongOfLeaders(jobs)];
}

/** It made no call, costs nothing, and has what a job of its tenant with the same key has that made one. */
function wrongOfAnswered(job: Job, byId: ReadonlyMap<string, Job>): string[] {
  const { id, answerOf, tenant } = job;
  if (!answerOf) return [];
  const leader = byId.get(answerOf.id);
  const isFree = job.attempts.length === 0 && job.attempt === 0 && !job.hold && !job.settled && !job.spent;
  const isKept = leader?.deletedAt === undefined && job.deletedAt === undefined;
  return [
    ...(isFree ? [] : [`Q04 ${id}: it was answered by another and is charged, or has attempts`]),
    ...(leader?.tenant === tenant && !leader.answerOf ? [] : [`Q04 ${id}: it was answered by a stranger`]),
    ...(isKept && JSON.stringify(job.result) !== JSON.stringify(leader?.result) ? [`Q04 ${id}: another answer`] : []),
  ];
}

/** Of those with one key each began when the one before was over, or deleted. */
function wrongOfLeaders(jobs: readonly Job[]): string[] {
  return [...new Set(jobs.flatMap(({ leads }) => leads ?? []))].flatMap((key) => {
    const leaders = jobs.filter(({ leads, startedAt }) => leads === key && startedAt !== undefined);
    leaders.sort((left, right) => (left.startedAt ?? 0) - (right.startedAt ?? 0));
    return leaders.slice(1).flatMap(({ id, startedAt = 0 }, index) => {
      const before = leaders[index];
      if (before?.tenant !== leaders[0]?.tenant) return [`Q04 ${id}: it leads in another tenant`];
      const overAt = before?.deletedAt ?? before?.completedAt ?? Number.POSITIVE_INFINITY;
      return before && isTerminal(before.state) && startedAt >= overAt
        ? []
        : [`Q04 ${id}: it led beside ${before?.id}`];
    });
  });
}
