/** What an attempt leaves for the next one when its answer came, and could not be used. */
import { expect, test } from 'vitest';
import { attempt } from '../../shared/core/attempt.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { JobType } from '../../shared/core/job-type.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';
import { tablePricing } from '../../shared/llm/cost.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { answer } from '../support/core-world.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const tried = (toResult: JobType['toResult']) => {
  const options = {
    providerFor: async () => ({ generate: answer }),
    pricing: tablePricing(),
    clock: virtualClock(),
    log: () => {},
  };
  const type = { ...generalLlmRequest, toResult };
  return attempt(options, type, sampleJob(), { prompt: 'Hello.' }, new AbortController().signal);
};

test('one that was refused is to be mended, and its text is kept', async () => {
  const result = await tried(() => ({ violation: 'age: is required' }));
  expect(result).toMatchObject({
    ended: 'failed',
    error: { code: 'schema_violation' },
    rejected: { violation: 'age: is required' },
  });
  expect(result).toHaveProperty('vainText', expect.stringMatching(/./));
});

test('one whose check broke is not sent back to the model, which did nothing wrong', async () => {
  const result = await tried(() => {
    throw new ServiceError('attempt_timeout', 'The check took too long.');
  });
  expect(result).toMatchObject({ ended: 'failed', error: { code: 'attempt_timeout' }, rejected: undefined });
  expect(result).toHaveProperty('vainText', expect.stringMatching(/./));
});
