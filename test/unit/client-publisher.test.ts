/** What a publisher refuses before anything is published. That it publishes is shown on the emulators. */
import { expect, test } from 'vitest';
import { type LlmJobsError, type PublishingTopic, publishJob } from '../../shared/client/publisher.ts';
import { parsePublished } from '../../shared/job-types/submission.ts';

const ID = '0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11';
const job = { job_type: 'general_llm_request', model_id: 'gpt-4o', input_data: { prompt: 'Hello.' } } as const;

test.each([
  [{ ...job, job_id: 'mine' }, ['job_id']],
  [{ ...job, job_id: null }, ['job_id']],
  [{ ...job, job_id: ID, idempotency_key: 'k' }, ['idempotency_key']],
  [{ ...job, idempotency_key: '' }, ['idempotency_key']],
  [{ ...job, idempotency_key: 'ключ' }, ['idempotency_key']],
  [{ ...job, idempotency_key: 5 }, ['idempotency_key']],
  [{ ...job, idempotency_key: '""' }, ['idempotency_key']],
  [{ ...job, idempotency_key: 'k'.repeat(256) }, ['idempotency_key']],
  [
    { job_id: 'mine', idempotency_key: 5, input_data: { a: Number.NaN } },
    ['job_id', 'idempotency_key', 'job_type', 'input_data.a'],
  ],
  [null, ['job_type', 'input_data']],
])('%j is not published', async (wrong, paths) => {
  const published: unknown[] = [];
  const topic: PublishingTopic = { publishMessage: async (message) => `${published.push(message)}` };
  const error = await publishJob(topic, wrong as never).catch((refused: unknown) => refused);
  expect(error).toMatchObject({ code: 'invalid_request', details: paths.map((path) => ({ path })) });
  expect(published).toEqual([]);
});

test.each(['k', ' k ', '"k"', 'two words', 'k'.repeat(255), `"${'k'.repeat(255)}"`])(
  'under the key %j it is',
  async (key) => {
    const published: Uint8Array[] = [];
    const topic: PublishingTopic = { publishMessage: async ({ data }) => `${published.push(data)}` };
    const under = { ...job, idempotency_key: key };
    expect(await publishJob(topic, under)).toEqual({ jobId: undefined, messageId: '1' });
    const content = JSON.parse(new TextDecoder().decode(published[0]));
    expect(content).toEqual(under);
    expect(parsePublished(content)).toHaveProperty('submission');
  },
);

test('an error of Pub/Sub has the id, to publish it again under; what is said of the message goes with it', async () => {
  const cause = new Error('UNAVAILABLE');
  const sent: { data: Uint8Array; attributes?: Record<string, string> }[] = [];
  const topic: PublishingTopic = {
    async publishMessage(message) {
      if (sent.push(message) === 1) throw cause;
      return 'm1';
    },
  };
  const attributes = { googclient_traceparent: '00-1-2-01' };
  const error = await publishJob(topic, job, { attributes }).catch((refused: unknown) => refused as LlmJobsError);
  const [first] = sent.map(({ data }) => JSON.parse(new TextDecoder().decode(data)));
  const sentence = 'Pub/Sub did not take the job: UNAVAILABLE';
  expect(error).toMatchObject({ code: 'no_answer', message: sentence, cause, jobId: first.job_id });
  expect(first).toEqual({ ...job, job_id: expect.stringMatching(/^[\da-f-]{36}$/) });
  const again = { ...job, job_id: first.job_id };
  expect(await publishJob(topic, again)).toEqual({ jobId: first.job_id, messageId: 'm1' });
  expect(sent.map((message) => message.attributes)).toEqual([attributes, undefined]);
  expect(sent[1]?.data).toEqual(sent[0]?.data);
});
