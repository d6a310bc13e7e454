/** What must hold of jobs that share an answer, after every scenario. */
import { expect } from 'vitest';
import { isTerminal, type Job } from '../../shared/core/job.ts';

/** A job that was answered by another one made no call, holds nothing, and has what that one has. */
export function checkAnswered(job: Job, leader: Job | undefined): void {
  const { answerOf } = job;
  if (!answerOf) return;
  expect(job).toMatchObject({ state: 'completed', attempt: 0, attempts: [] });
  for (const field of ['leads', 'hold', 'settled', 'spent', 'parkedFor']) expect(job).not.toHaveProperty(field);
  if (!leader) return;
  expect(leader).toMatchObject({ tenant: job.tenant, state: 'completed', completedAt: answerOf.completedAt });
  expect(leader).not.toHaveProperty('answerOf');
  if (leader.deletedAt !== undefined || job.deletedAt !== undefined) return;
  expect(job.result).toEqual(leader.result);
  const [own, other] = [job.parts?.result, leader.parts?.result];
  expect(own?.sha256).toEqual(other?.sha256);
  if (own) expect(own.name).not.toBe(other?.name);
}

/** Of those with one key each began when the one before had ended, or was deleted. */
export function checkLeaders(all: readonly Job[]): void {
  for (const key of new Set(all.flatMap(({ leads }) => leads ?? []))) {
    const leaders = all.filter(({ leads }) => leads === key);
    leaders.sort((left, right) => (left.startedAt ?? 0) - (right.startedAt ?? 0));
    for (const [index, { state, completedAt, deletedAt }] of leaders.slice(0, -1).entries()) {
      expect(isTerminal(state), 'a leader that was replaced is over').toBe(true);
      expect(leaders[index + 1]?.startedAt).toBeGreaterThanOrEqual(deletedAt ?? completedAt ?? Infinity);
    }
  }
}
