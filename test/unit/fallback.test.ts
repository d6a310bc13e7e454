/** A job whose call failed for good, and whose type has a result all the same. */
import { afterEach, expect, test } from 'vitest';
import { type ErrorCode, ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import { nextTry } from '../../shared/core/retry.ts';
import { promptGeneration } from '../../shared/job-types/prompt-generation.ts';
import { ADA, answer, type CoreWorld, coreWorld, type Generate } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

const submit = () => world.submit('', { jobType: 'prompt_generation', input: { manual_prompt: 'Hello.' } });
const failing = (code: ErrorCode): Generate =>
  async function* () {
    yield { type: 'accepted' } as LlmPart;
    throw new ServiceError(code, 'No.');
  };
const INSTEAD = { success: true, result: expect.stringMatching(/^\S.*\n\nHello\.$/), generated_by_ai: false };

test('it completes with that result, and its attempt stays what it was', async () => {
  world = coreWorld(failing('content_policy'));
  const job = await submit();
  expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
  const ended = await world.read(job);
  expect(ended).toMatchObject({
    ...{ state: 'completed', result: INSTEAD },
    attempts: [{ n: 1, outcome: 'failed', errorCode: 'content_policy', calls: 1 }],
  });
  expect(ended).not.toHaveProperty('error');
});

test('how long it took says nothing of how long such jobs take', async () => {
  const codes: (ErrorCode | undefined)[] = ['auth', undefined];
  world = coreWorld((request, signal, call) => {
    const code = codes[call - 1];
    return code ? failing(code)(request, signal, call) : answer();
  });
  for (const known of [undefined, undefined, expect.any(Number)]) {
    const job = await submit();
    expect(job.usualMs).toEqual(known);
    await world.clock.until(world.run(job));
  }
});

test('readers who were told a part of the answer get a snapshot with that result in its place', async () => {
  world = coreWorld(async function* () {
    yield { type: 'text-delta', text: 'Half an ans' } as LlmPart;
    await sleep(world.clock, 1_000);
    throw new ServiceError('content_policy', 'No.');
  });
  const job = await world.submit('', {
    ...{ jobType: 'prompt_generation', input: { manual_prompt: 'Hello.' } },
    stream: true,
  });
  const stop = new AbortController();
  const told: unknown[] = [];
  async function follow(cursor?: number) {
    const stream = await world.service.stream(ADA, job.id, cursor, stop.signal);
    if ('over' in stream) return;
    for await (const event of stream.events) {
      if (event.type === 'delta') told.push(event.text);
      if (event.type === 'snapshot' || event.type === 'done') told.push([event.type, event.seen.job.result]);
    }
  }
  const following = follow();
  await world.clock.advance(1_000);
  await world.clock.until(world.run(job));
  await world.clock.until(following);
  const end = [
    ['snapshot', INSTEAD],
    ['done', INSTEAD],
  ];
  expect(told).toEqual([['snapshot', undefined], 'Half an ans', ...end]);
  for (const cursor of [undefined, 1_000_000, 1_000_001]) {
    told.length = 0;
    await world.clock.until(follow(cursor));
    expect(told).toEqual(end);
  }
});

test('that a cancel meets is cancelled', async () => {
  world = coreWorld(async function* () {
    await world.service.cancel(ADA, job.id);
    yield* failing('auth')({ model: '', messages: [] }, new AbortController().signal, 1);
  });
  const job = await submit();
  expect(await world.clock.until(world.run(job))).toEqual({ finished: 'cancelled' });
  expect(await world.read(job)).not.toHaveProperty('result');
});

test('that cannot be stored ends as failed, once', async () => {
  world = coreWorld(failing('auth'));
  const job = await submit();
  const update: typeof world.store.update = (key, revision, changes) => {
    if (changes.state !== 'completed') return world.store.update(key, revision, changes);
    throw new ServiceError('result_unstorable', 'refused by the test');
  };
  const worker = world.anotherWorker({ store: { ...world.store, update } });
  expect(await world.clock.until(worker.run(job))).toEqual({ finished: 'failed' });
  expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'result_unstorable' } });
  expect(world.calls()).toBe(1);
});

test('whose type breaks instead fails as it would have, once', async () => {
  world = coreWorld(failing('auth'));
  const job = await submit();
  const broken = {
    ...promptGeneration,
    fallback: () => {
      throw new Error('about a secret');
    },
  };
  const worker = world.anotherWorker({ jobTypes: new Map([[broken.name, broken]]) });
  expect(await world.clock.until(worker.run(job))).toEqual({ finished: 'failed' });
  expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'auth' }, attempt: 1 });
  expect(world.lines.filter((line) => line.includes('fallback-broke'))).toHaveLength(1);
  expect(world.lines.join()).not.toContain('secret');
});

test('whose time is over has it, too, before the sweeper comes', async () => {
  world = coreWorld(async function* () {
    await new Promise<void>((resolve) => void world.clock.setTimer(resolve, 500_000));
    yield* answer();
  });
  const job = await world.submit('', {
    ...{ jobType: 'prompt_generation', input: { manual_prompt: 'Hello.' } },
    limits: { timeoutMs: 20_000 },
  });
  expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
  expect(await world.read(job)).toMatchObject({
    result: INSTEAD,
    attempts: [{ outcome: 'failed', errorCode: 'job_timeout' }],
  });
});

test.each([
  ['not longer than may be waited', 9_000, true],
  ['longer', 9_001, false],
])('a pause that is %s, jitter and all', (_, retryAfterMs, again) => {
  const tries = { failures: 0, refusals: 0, repairs: 0, repairsMost: 0 };
  const next = nextTry(promptGeneration.retry, { code: 'overloaded', retryAfterMs }, tries, 1);
  expect(next.again).toBe(again);
});
