/** Which trace a job is of, over all contracts: that of the request that made it, which no answer shows. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { readConfig } from '../../shared/config.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import type { Runtime } from '../../shared/runtime.ts';
import { type EmbeddedRuntime, embeddedRuntime } from '../../shared/runtime-embedded.ts';
import {
  BATCH,
  callsOf,
  general,
  LIST,
  resultOf,
  retryOf,
  SUBMIT,
  statusOf,
  streamOf,
  TRAINER,
} from '../support/app.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const OTHER = `00-${'2'.repeat(32)}-${'3'.repeat(16)}-00`;
const PROMPTS = '/api/v1/web-knowledge/generate-prompt-async/';
const LOCAL = { tenant: 'default', user: 'local', scopes: [] };

let runtime: EmbeddedRuntime;
let app: ReturnType<typeof publicApp>;
let api: ReturnType<typeof callsOf>;
beforeAll(async () => {
  const models = { OPENAI_MODEL: 'simulated', PROMPT_GENERATION_MODEL: 'simulated' };
  const quick = { ...models, DATABASE_URL: ':memory:', SIMULATED_MS: '0', LOG_FORMAT: 'json' };
  runtime = await embeddedRuntime(readConfig(quick), undefined, { renderJob });
  app = publicApp(runtime, EVERYTHING);
  api = callsOf(app);
  runtime.start();
});
afterAll(() => runtime.close());

const jobOf = async (id: string) => (await (runtime as Runtime).service.read(LOCAL, id)).job;
const ended = (id: string) => expect.poll(async () => (await jobOf(id)).completedAt, { interval: 5 }).toBeDefined();

test('no answer of any contract shows it, while the job runs and after', async () => {
  const made = [
    await api.post(SUBMIT, general({ prompt: 'Hello.' }), { traceparent: PARENT }),
    await api.post(SUBMIT, { ...general({ prompt: 'Aloud.' }), stream: true }, { traceparent: PARENT }),
    await api.post(TRAINER, { model_id: 'simulated', full_input: 'Hello.' }, { traceparent: PARENT }),
    await api.post(BATCH, { jobs: [general({ prompt: 'Many.' })] }, { traceparent: PARENT }),
    await api.post('/jobs', { prompt: 'Hello.', provider: 'simulated', model: 'simulated' }, { traceparent: PARENT }),
    await api.post(PROMPTS, { manual_prompt: 'Hello.' }, { traceparent: PARENT }),
    await api.post('/llm/submit', { text: 'Hello.' }, { traceparent: PARENT }),
  ];
  expect(made.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 202, 200]);
  const { jobs } = await runtime.service.list(LOCAL, { limit: 50, offset: 0 });
  expect(jobs).toHaveLength(made.length);
  const ids = jobs.map(({ job }) => job.id);
  const shown = made.map(({ headers, body }) => JSON.stringify([[...headers], body]));
  const look = async () => {
    const paths = ids.flatMap((id) => [
      ...[
        statusOf(id),
        resultOf(id),
        `/jobs/${id}`,
        `/llm/status/${id}`,
        `/llm/result/${id}`,
        `${PROMPTS}status/${id}/`,
      ],
      ...[streamOf(id), `/jobs/${id}/stream`],
    ]);
    for (const path of [...paths, LIST, '/jobs', made[3]?.body.urls.status]) {
      const response = await app.request(path);
      shown.push(`${JSON.stringify([...response.headers])} ${await response.text()}`);
    }
  };
  await look();
  for (const id of ids) {
    await ended(id);
    expect((await jobOf(id)).traceparent).toBe(PARENT);
  }
  await look();
  for (const id of ids) expect(shown.filter((text) => text.includes(id)).length).toBeGreaterThan(4);
  for (const text of shown) expect(text).not.toMatch(new RegExp(`traceparent"|${TRACE}|b7ad6b7169203331`, 'i'));
});

test('a repeat in another trace is a repeat; a retry is of the trace of its own request', async () => {
  const body = general({ prompt: '[simulate fail=auth]' });
  const first = await api.post(SUBMIT, body, { traceparent: PARENT, 'Idempotency-Key': 'one' });
  const again = await api.post(SUBMIT, body, { traceparent: OTHER, 'Idempotency-Key': 'one' });
  expect([again.body.job_id, again.headers.get('Idempotency-Replayed')]).toEqual([first.body.job_id, 'true']);
  await ended(first.body.job_id);
  const retried = await api.send('POST', retryOf(first.body.job_id), { headers: { traceparent: OTHER } });
  expect(retried.status).toBe(202);
  expect((await jobOf(first.body.job_id)).traceparent).toBe(PARENT);
  expect((await jobOf(retried.body.job_id)).traceparent).toBe(OTHER);
});

test.each([
  `${PARENT}-${'a'.repeat(512 * 1024)}`,
  PARENT.toUpperCase(),
  `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `${PARENT}, ${OTHER}`,
])('what is no traceparent is passed over: a job of a trace of its own (%#)', async (traceparent) => {
  const { status, body } = await api.post(SUBMIT, general({ prompt: 'Hello.' }), { traceparent });
  expect(status).toBe(202);
  const job = await jobOf(body.job_id);
  expect(job.traceparent).toMatch(/^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-00$/);
  expect(job.traceparent).not.toContain(TRACE);
});

test('a job that names no trace, as older documents do not, runs all the same', async () => {
  const { job } = await runtime.service.submit(LOCAL, {
    ...{ jobType: 'general_llm_request', model: 'simulated' },
    input: { prompt: 'Old.' },
  });
  expect(job.traceparent).toBeUndefined();
  await ended(job.id);
  expect(await jobOf(job.id)).toMatchObject({ state: 'completed' });
  expect((await jobOf(job.id)).traceparent).toBeUndefined();
});
