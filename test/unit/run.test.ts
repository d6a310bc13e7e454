/** What a worker does with a doorbell, on virtual time over a real SQLite, with faults that are shown to have fired. */
import { afterEach, describe, expect, test } from 'vitest';
import { RESULT_BYTES_MOST } from '../../shared/core/answers.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { answer, type CoreWorld, coreWorld, FINISH, type Generate, LEASE_MS, NO_RETRY } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

const never = () => new Promise<never>(() => {});

describe('a job', () => {
  test('is claimed, called once, and finished with what the provider said', async () => {
    world = coreWorld();
    const job = await world.submit();
    expect(world.published).toEqual([{ tenant: 'default', id: job.id }]);
    expect(await world.run(job)).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toMatchObject({
      state: 'completed',
      result: { success: true, result: 'Hi!' },
      attempts: [
        {
          n: 1,
          calls: 1,
          outcome: 'completed',
          finishReason: 'stop',
          providerRequestId: 'req-1',
          usage: { totalTokens: 5 },
        },
      ],
    });
    expect(world.calls()).toBe(1);
  });

  test('is called once however often its doorbell rings, five at once', async () => {
    world = coreWorld(async function* () {
      await new Promise((resolve) => setImmediate(resolve));
      yield* answer();
    });
    const job = await world.submit();
    const first = await Promise.all([1, 2, 3, 4, 5].map(() => world.run(job)));
    const second = await Promise.all([1, 2, 3, 4, 5].map(() => world.run(job)));
    expect(first.filter((outcome) => 'finished' in outcome)).toHaveLength(1);
    expect(second).toEqual(Array(5).fill({ refused: 'done' }));
    expect(world.calls()).toBe(1);
  });

  test('that nobody knows is refused', async () => {
    world = coreWorld();
    expect(await world.run({ tenant: 'default', id: crypto.randomUUID() })).toEqual({ refused: 'unknown-job' });
  });

  test('whose claim lost a race is claimed on the newest document, if it is still free', async () => {
    world = coreWorld();
    const job = await world.submit();
    const ring = async () => {
      const found = await world.store.get(job);
      await world.store.update(job, found?.revision ?? '', { rings: 1 });
    };
    world.store.before('update', ring);
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toMatchObject({ attempt: 1, attempts: [{ n: 1 }] });
  });
});

describe('a write of ours that was applied but answered "unavailable" is recognised', () => {
  test.each(['create', 'claim', 'finish'] as const)('%s', async (step) => {
    world = coreWorld();
    if (step === 'create') world.store.fail('create', 'after');
    const job = await world.submit();
    if (step !== 'create') world.store.fail('update', 'after', { skip: step === 'finish' ? 1 : 0 });
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
    expect(world.store.fired()).toBe(1);
    expect(world.calls()).toBe(1);
    expect(await world.read(job)).toMatchObject({ state: 'completed', attempt: 1, version: 3 });
  });

  test('a heartbeat, and the finish after it is not mistaken for it', async () => {
    world = coreWorld(async function* () {
      await sleepOf(LEASE_MS / 2);
      yield* answer();
    });
    const job = await world.submit();
    // The second update is the heartbeat, and its look at the document fails, too.
    world.store.fail('update', 'after', { skip: 1 });
    world.store.fail('get', 'before');
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
    expect(world.store.fired()).toBe(2);
    expect(await world.read(job)).toMatchObject({ state: 'completed', result: { result: 'Hi!' } });
  });
});

describe('a write that never got to the store is made again', () => {
  test('claim', async () => {
    world = coreWorld();
    const job = await world.submit();
    world.store.fail('update', 'before');
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
    expect(world.store.fired()).toBe(1);
    expect(world.calls()).toBe(1);
  });

  test('finish, while the store is silent for a while: the answer is paid for', async () => {
    world = coreWorld();
    const job = await world.submit();
    world.store.fail('update', 'before', { skip: 1, times: 5 });
    world.store.fail('get', 'before', { times: 5 });
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'completed' });
    expect(world.store.fired()).toBe(10);
    expect(world.calls()).toBe(1);
  });

  test('finish, but not for ever: then the queue must deliver again', async () => {
    world = coreWorld();
    const job = await world.submit();
    world.store.fail('update', 'before', { skip: 1, times: 10_000 });
    await expect(world.clock.until(world.run(job))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.store.fired()).toBeGreaterThan(10);
  });
});

test('a claim whose look at the document fails asks for another delivery', async () => {
  world = coreWorld();
  const job = await world.submit();
  world.store.fail('getWithInput', 'before');
  await expect(world.run(job)).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(world.calls()).toBe(0);
});

test('a result that can never be stored fails the job, without another call', async () => {
  world = coreWorld();
  const job = await world.submit();
  world.store.fail('update', 'refused', { skip: 1 });
  expect(await world.run(job)).toEqual({ finished: 'failed' });
  expect(world.store.fired()).toBe(1);
  expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'result_unstorable' } });
  expect(world.calls()).toBe(1);
});

describe('an answer', () => {
  const cases: [name: string, generate: Generate, code: string][] = [
    [
      'that is too large',
      async function* () {
        for (;;) yield { type: 'text-delta', text: 'x'.repeat(RESULT_BYTES_MOST / 8) } as LlmPart;
      },
      'response_too_large',
    ],
    [
      'that was cut',
      async function* () {
        yield { type: 'text-delta', text: 'Hi' } as LlmPart;
      },
      'network',
    ],
    [
      'whose provider broke',
      async function* () {
        yield { type: 'text-delta', text: 'Hi' } as LlmPart;
        throw new TypeError('the prompt was: secret');
      },
      'internal_error',
    ],
    [
      'that does not end',
      async function* () {
        for (;;) {
          await sleepOf(LEASE_MS);
          yield { type: 'activity' } as LlmPart;
        }
      },
      'attempt_timeout',
    ],
    [
      'that stalls, from a provider that does not listen',
      async function* () {
        yield { type: 'text-delta', text: 'Hi' } as LlmPart;
        yield await never();
      },
      'idle_timeout',
    ],
  ];

  test.each(cases)('%s fails its job with its class', async (_, generate, code) => {
    world = coreWorld(generate, NO_RETRY);
    const job = await world.submit();
    expect(await world.clock.until(world.run(job))).toEqual({ finished: 'failed' });
    const ended = await world.read(job);
    expect(ended).toMatchObject({
      state: 'failed',
      error: { code },
      attempts: [{ outcome: 'failed', errorCode: code }],
    });
    expect(JSON.stringify(ended) + world.lines.join()).not.toContain('secret');
    expect(world.calls()).toBe(1);
  });

  test('with half a character in it is stored well-formed', async () => {
    world = coreWorld(async function* () {
      yield { type: 'text-delta', text: 'a\ud83d' } as LlmPart;
      yield FINISH;
    });
    const job = await world.submit();
    await world.run(job);
    expect((await world.read(job)).result).toEqual({ success: true, result: 'a\ufffd' });
  });

  test('cut between the halves of a character is stored whole', async () => {
    world = coreWorld(async function* () {
      yield { type: 'text-delta', text: 'a\ud83d' } as LlmPart;
      yield { type: 'text-delta', text: '\ude00b' } as LlmPart;
      yield FINISH;
    });
    const job = await world.submit();
    await world.run(job);
    expect((await world.read(job)).result).toEqual({ success: true, result: 'a😀b' });
  });
});

/** Virtual time passes for a provider. */
function sleepOf(ms: number): Promise<void> {
  return new Promise((resolve) => world.clock.setTimer(resolve, ms));
}
