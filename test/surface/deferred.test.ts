/** Failover and deferral as clients see them: over a real provider socket, and on virtual time. */
import { afterEach, describe, expect, test } from 'vitest';
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { PROTOCOLS } from '../providers/protocols.ts';
import { general, openApp, pause, SUBMIT, statusOf, type TestApp } from '../support/app.ts';
import { ADA, answer } from '../support/core-world.ts';
import { type Exchange, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { GENERATE, MANUAL, type PromptWorld, promptWorld } from './prompt-world.ts';

const NOW = 1_700_000_100_000;
const WAITS = 'Waiting: no model of this job may be called now';
const responses = PROTOCOLS.find(({ name }) => name === 'openai, Responses') ?? PROTOCOLS[0];

test('a job that was deferred before its first attempt says until when, and why', () => {
  const job = sampleJob({ nextAttemptAt: NOW + 30_000, createdAt: NOW - 200_000 });
  expect(renderJob({ job, nowMs: NOW })).toMatchObject({
    ...{ status: 'pending', stage: 'waiting', message: WAITS, attempts: [], progress: 0 },
    ...{ next_attempt_at: new Date(NOW + 30_000).toISOString().replace('.000', ''), poll_after_ms: 5_000 },
  });
  const rung = renderJob({ job: { ...job, nextAttemptAt: undefined }, nowMs: NOW });
  expect(rung).toMatchObject({ message: 'Waiting for a worker', stage: undefined, next_attempt_at: undefined });
});

describe('over a real socket', () => {
  let server: ScriptedProvider;
  let app: TestApp;
  afterEach(async () => {
    await app.close();
    await server.stop();
  });

  async function open(): Promise<void> {
    server = await startScriptedProvider();
    app = await openApp({ OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: `${server.url}/v1` });
  }
  async function answers({ stream, write, response }: Exchange): Promise<void> {
    stream();
    await write(`${responses?.opening}${responses?.delta('Hi!')}${responses?.ending}`);
    response.end();
  }
  const modelOf = ({ body }: Pick<Exchange, 'body'>) => (body as { model: string }).model;
  const errorOf = (code: string) => responses?.errorBody('Failed by the test.', code);

  test('500, 429 and a timeout in turn: the fallback answers, the attempts tell, the server saw as many calls', async () => {
    await open();
    let asked = 0;
    server.answerWith(async (exchange) => {
      if (modelOf(exchange) !== 'gpt-4o') return await answers(exchange);
      asked += 1;
      if (asked === 1) exchange.json(500, errorOf('server_error'));
      if (asked === 2) exchange.json(429, errorOf('rate_limit_exceeded'), { 'retry-after-ms': '50' });
      // The third is never answered.
    });
    const { body } = await app.post(SUBMIT, {
      ...general({ prompt: 'Hi' }, 'gpt-4o'),
      ...{ fallbacks: ['gpt-4o-mini'], attempt_timeout: 1 },
    });
    const view = await app.poll(body.job_id);
    expect(view).toMatchObject({ status: 'completed', result_data: { result: 'Hi!' }, model: { name: 'GPT-4o' } });
    const told = view.attempts.map(({ provider, model, outcome, error_code }: Record<string, string>) =>
      [provider, model, outcome, error_code].join(' ').trim(),
    );
    expect(told).toEqual([
      'openai gpt-4o failed overloaded',
      'openai gpt-4o failed rate_limited',
      'openai gpt-4o failed attempt_timeout',
      'openai gpt-4o-mini completed',
    ]);
    expect(server.requests.map(modelOf)).toEqual(['gpt-4o', 'gpt-4o', 'gpt-4o', 'gpt-4o-mini']);
  });

  test('what a provider asked of one job holds for the others, which are told when they go on', async () => {
    await open();
    server.answerWith(({ json }) => json(429, errorOf('rate_limit_exceeded'), { 'retry-after': '60' }));
    const submitted = await app.post(SUBMIT, general({ prompt: 'first' }, 'gpt-4o'));
    await expect.poll(() => server.requests.length).toBe(1);
    const until = async (id: string) => {
      for (;;) {
        const reply = await app.get(statusOf(id));
        if (reply.body.next_attempt_at !== undefined) return reply;
        await pause(2);
      }
    };
    expect((await until(submitted.body.job_id)).body).toMatchObject({ status: 'processing', stage: 'waiting' });
    const other = await app.post(SUBMIT, general({ prompt: 'second' }, 'gpt-4o'));
    const { body, headers } = await until(other.body.job_id);
    expect(body).toMatchObject({ status: 'pending', stage: 'waiting', message: WAITS, attempts: [] });
    expect(Date.parse(body.next_attempt_at) - Date.parse(body.created_at)).toBeGreaterThanOrEqual(58_000);
    expect(Number(headers.get('Retry-After'))).toBeGreaterThanOrEqual(3);
    expect(server.requests).toHaveLength(1);
  });
});

describe('the endpoint that waits for a prompt', () => {
  let world: PromptWorld;
  afterEach(() => world.close());

  /** A world whose provider asks everybody for a minute. */
  async function closedWorld(): Promise<void> {
    let isFirst = true;
    world = promptWorld(async function* (): AsyncIterable<LlmPart> {
      if (isFirst) {
        isFirst = false;
        throw new ServiceError('rate_limited', 'by the test', { retryAfterMs: 60_000 });
      }
      yield* answer();
    });
    const job = await world.submit();
    await world.clock.until(world.run(job));
    world.published.length = 0;
  }
  async function generate(headers: Record<string, string> = {}) {
    const answered = world.post(GENERATE, MANUAL, headers);
    while (world.published.length === 0) await pause(1);
    const key = world.published[0] ?? { tenant: '', id: '' };
    const outcome = await world.clock.until(world.run(key));
    return { key, outcome, reply: await world.clock.until(answered) };
  }

  test('answers 503 with Retry-After where no model may be called, and the task is cancelled', async () => {
    await closedWorld();
    const { key, outcome, reply } = await generate();
    expect(outcome).toEqual({ refused: 'deferred' });
    const sentence = 'No AI model can be asked now. Try again later.';
    expect([reply.status, reply.body]).toEqual([503, { success: false, message: sentence, error: sentence }]);
    const seconds = Number(reply.headers.get('Retry-After'));
    expect(seconds).toBeGreaterThanOrEqual(60);
    expect(seconds).toBeLessThanOrEqual(91);
    expect((await world.service.read(ADA, key.id)).job).toMatchObject({ state: 'cancelled', attempts: [] });
    expect(world.calls()).toBe(1);
  });

  test('with a key the task goes on, and who asks again gets its prompt', async () => {
    await closedWorld();
    const headers = { 'Idempotency-Key': 'mine-1' };
    const { key, reply } = await generate(headers);
    expect(reply.status).toBe(503);
    expect((await world.service.read(ADA, key.id)).job).toMatchObject({ state: 'pending', attempts: [] });
    await world.clock.advance(91_000);
    const again = world.post(GENERATE, MANUAL, headers);
    await pause(5);
    await world.clock.until(world.run(key));
    const { status, body } = await world.clock.until(again);
    expect([status, body.prompt]).toEqual([200, 'Hi!']);
  });
});
