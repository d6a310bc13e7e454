/** What a job has spent, as its attempts end. */
import { expect, test } from 'vitest';
import { beginAttempt, endAttempt, loseAttempt } from '../../shared/core/attempts.ts';
import { applyChanges, type Job } from '../../shared/core/job.ts';

const USAGE = { inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedInputTokens: 4 };
const begun = (job: Partial<Job>): Job => {
  const whole = { attempts: [], attempt: 0, model: { provider: 'openai', model: 'gpt-4o' }, ...job } as never as Job;
  return applyChanges(whole, beginAttempt(whole, 1));
};

test('one that was thought lost, and then finishes, counts once: with what it really cost', () => {
  const job = begun({ callEstimate: { inputTokens: 9, outputTokens: 9, nanoUsd: 900 } });
  const lost = applyChanges(job, loseAttempt(job, 2));
  expect(lost.spent).toMatchObject({ nanoUsd: 900, estimatedNanoUsd: 900, inputTokens: 0 });
  const end = { outcome: 'completed', usage: USAGE, cost: { nanoUsd: 70 } } as const;
  expect(applyChanges(lost, endAttempt(lost, 3, end)).spent).toEqual({
    ...{ inputTokens: 10, outputTokens: 5, cachedInputTokens: 4, reasoningTokens: 0 },
    ...{ nanoUsd: 70, estimatedNanoUsd: 0, unpriced: 0 },
  });
});

test('a price that nobody knows is counted as unknown, not as nothing', () => {
  const job = begun({});
  const ended = applyChanges(job, endAttempt(job, 2, { outcome: 'failed', cost: { nanoUsd: null } }));
  expect(ended.spent).toMatchObject({ nanoUsd: 0, unpriced: 1 });
});

test('a document of an older version begins with what its records say', () => {
  const before = { n: 1, startedAt: 1, provider: 'openai', model: 'gpt-4o', calls: 1, endedAt: 2, usage: USAGE };
  const job = begun({ attempts: [before], attempt: 1 });
  const ended = applyChanges(job, endAttempt(job, 3, { outcome: 'completed', usage: USAGE, cost: { nanoUsd: 7 } }));
  expect(ended.spent).toMatchObject({ inputTokens: 20, outputTokens: 10, cachedInputTokens: 8, nanoUsd: 7 });
});
