/** Prompt generation (seed 004): what a reader sees from the start to the end, and that there always is an end. */
import { afterEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import { sweep } from '../../shared/core/sweep.ts';
import { answer, type Generate, LEASE_MS } from '../support/core-world.ts';
import { MANUAL, type PromptWorld, promptWorld } from './prompt-world.ts';

/** Its clients stop asking then. */
const PATIENCE_MS = 120_000;
const SLOWLY_MS = 500;

let world: PromptWorld;
afterEach(() => world.close());

/** A provider that takes its time before each part. */
const slowly: Generate = async function* (_, signal) {
  for await (const part of answer()) {
    await sleep(world.clock, SLOWLY_MS, signal);
    yield part;
  }
};
const failing = (code: ConstructorParameters<typeof ServiceError>[0], retryAfterMs?: number): Generate =>
  async function* () {
    yield { type: 'accepted' } as LlmPart;
    throw new ServiceError(code, 'The provider said no.', retryAfterMs === undefined ? {} : { retryAfterMs });
  };

/** Runs a task with a worker whose every write is followed by a look through HTTP. */
async function seenByWrites(id: string) {
  const seen: { status: string; progress: number; message: string }[] = [await world.look(id)];
  const store = {
    ...world.store,
    async update(...change: Parameters<typeof world.store.update>) {
      const written = await world.store.update(...change);
      seen.push(await world.look(id));
      return written;
    },
  };
  await world.clock.until(world.anotherWorker({ store }).run(world.keyOf(id)));
  return seen;
}

test('every stage is written and shown, in order', async () => {
  world = promptWorld(slowly);
  const seen = await seenByWrites(await world.start());
  expect(seen.map(({ progress }) => progress)).toEqual([0, 10, 30, 50, 70, 90, 100]);
  expect(seen.map(({ status }) => status)).toEqual(['queued', ...Array(5).fill('processing'), 'completed']);
  expect(seen.map(({ message }) => message)).toEqual([
    'Task queued, waiting to start...',
    'Initializing AI generation...',
    'Checking tokens...',
    'Generating enhanced prompt with AI...',
    'Waiting for AI response...',
    'Finalizing...',
    'Prompt generated successfully',
  ]);
});

test('every stage is shown also of a call that is over at once', async () => {
  world = promptWorld();
  const seen = await seenByWrites(await world.start());
  expect(seen.map(({ progress }) => progress)).toEqual([0, 10, 30, 50, 70, 90, 100]);
});

test('no bar goes back while failed calls are made again', async () => {
  let calls = 0;
  world = promptWorld(async function* (request, signal, call) {
    calls = call;
    if (call < 3) yield* failing('overloaded')(request, signal, call);
    else yield* slowly(request, signal, call);
  });
  const seen = (await seenByWrites(await world.start())).map(({ progress }) => progress);
  expect(calls).toBe(3);
  expect(seen).toEqual([...seen].sort((one, other) => one - other));
  expect(new Set(seen)).toEqual(new Set([0, 10, 30, 50, 70, 90, 100]));
});

describe('a call that fails for good', () => {
  test.each([
    ['content_policy', 1],
    ['auth', 1],
    ['overloaded', 4],
    ['rate_limited', 4],
  ] as const)(
    'with %s is made %d times, and then the task completes with the simple combination',
    async (code, calls) => {
      world = promptWorld(failing(code));
      const id = await world.start();
      const startMs = world.clock.nowMs();
      await world.work(id);
      expect(world.calls()).toBe(calls);
      expect(world.clock.nowMs() - startMs).toBeLessThan(30_000);
      expect(await world.look(id)).toMatchObject({
        ...{ status: 'completed', progress: 100, message: 'Prompt generated successfully', generated_by_ai: false },
        prompt: expect.stringMatching(/^\S.*\n\nAnswer questions about our bakery in Bern\.$/),
      });
      const { body } = await world.get(`/api/llm/jobs/${id}/status/`);
      expect(body).toMatchObject({ status: 'completed', result_data: { success: true, generated_by_ai: false } });
      expect(body.attempts.at(-1)).toMatchObject({ outcome: 'failed', error_code: code });
      expect(body.error_message).toBeUndefined();
    },
  );

  test('and asks for more patience than its clients have is not made again', async () => {
    world = promptWorld(failing('rate_limited', 10_001));
    const id = await world.start();
    await world.work(id);
    expect(world.calls()).toBe(1);
    expect((await world.look(id)).generated_by_ai).toBe(false);
  });

  test.each(['insufficient_credits', 'budget_exceeded', 'subscription_inactive'] as const)(
    'with %s has nothing in its place',
    async (code) => {
      world = promptWorld(failing(code));
      const id = await world.start();
      await world.work(id);
      expect(await world.look(id)).toMatchObject({ status: 'failed', progress: 100, error: 'The provider said no.' });
    },
  );
});

describe('there is an end before its clients give up', () => {
  const hangs: Generate = async function* (_, signal) {
    yield { type: 'accepted' } as LlmPart;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };

  test('when the model says nothing, in none of the attempts', async () => {
    world = promptWorld(hangs);
    const id = await world.start();
    const startMs = world.clock.nowMs();
    await world.work(id);
    expect(world.clock.nowMs() - startMs).toBeLessThanOrEqual(100_000);
    expect(await world.look(id)).toMatchObject({ status: 'completed', generated_by_ai: false });
  });

  test('when the model never stops talking', async () => {
    world = promptWorld(async function* () {
      for (;;) {
        await sleep(world.clock, 1_000);
        yield { type: 'text-delta', text: 'and ' } as LlmPart;
      }
    });
    const id = await world.start();
    const startMs = world.clock.nowMs();
    await world.work(id);
    expect(world.clock.nowMs() - startMs).toBe(100_000);
    expect(await world.look(id)).toMatchObject({ status: 'completed', generated_by_ai: false });
    const { body } = await world.get(`/api/llm/jobs/${id}/status/`);
    expect(body.attempts.at(-1)).toMatchObject({ outcome: 'failed', error_code: 'job_timeout' });
  });

  const ENDED = {
    status: 'failed',
    progress: 100,
    message: 'AI generation failed',
    error: expect.stringMatching(/100 s/),
  };

  test.each([
    ['nobody took it', false],
    ['its worker died', true],
  ])('when %s, though no sweeper came: whoever looks ends it', async (_, isTaken) => {
    world = promptWorld(hangs);
    const startMs = world.clock.nowMs();
    const id = await world.start();
    if (isTaken) {
      // It dies with its first write after the claim.
      const update: typeof world.store.update = (...change) =>
        world.store.calls('update') === 0 ? world.store.update(...change) : new Promise<never>(() => {});
      void world.anotherWorker({ store: { ...world.store, update } }).run(world.keyOf(id));
      await world.clock.advance(0);
      expect((await world.look(id)).progress).toBe(10);
    }
    await world.clock.advance(101_000 - 1);
    expect((await world.look(id)).status).toBe(isTaken ? 'processing' : 'queued');
    const before = world.store.calls('update');
    await world.clock.advance(2);
    expect(await world.look(id)).toMatchObject(ENDED);
    expect(await world.look(id)).toMatchObject(ENDED);
    expect(world.store.calls('update')).toBe(before + 1);
    expect(world.clock.nowMs() - startMs).toBeLessThan(PATIENCE_MS);
  });

  test('when its worker died early, with the answer of another one', async () => {
    world = promptWorld(async function* (request, signal, call) {
      yield* call === 1 ? hangs(request, signal, call) : slowly(request, signal, call);
    });
    const id = await world.start();
    const update: typeof world.store.update = (...change) =>
      world.store.calls('update') === 0 ? world.store.update(...change) : new Promise<never>(() => {});
    void world.anotherWorker({ store: { ...world.store, update } }).run(world.keyOf(id));
    await world.clock.advance(LEASE_MS + 1_000);
    expect((await world.look(id)).progress).toBe(10);
    expect((await sweep(world)).rung).toBe(1);
    await world.work(id);
    expect(await world.look(id)).toMatchObject({ status: 'completed', generated_by_ai: true });
    expect(world.calls()).toBe(2);
  });
});

test('the canonical API takes the type, and nothing but its prompt', async () => {
  world = promptWorld();
  const submit = (input_data: unknown) =>
    world.post('/api/llm/jobs/submit/', { job_type: 'prompt_generation', model_id: 'simulated', input_data });
  const { status, body } = await submit(MANUAL);
  expect(status).toBe(202);
  await world.work(body.job_id);
  expect((await world.get(`/api/llm/jobs/${body.job_id}/result/`)).body.result_data).toEqual({
    ...{ success: true, result: 'Hi!', generated_by_ai: true },
  });
  expect((await world.look(body.job_id)).prompt).toBe('Hi!');
  const named = async (input: unknown) => (await submit(input)).body.details.map(({ path }: { path: string }) => path);
  expect(await named({ ...MANUAL, tone: 'kind' })).toEqual(['input_data.tone']);
  expect(await named({ manual_prompt: ' ' })).toEqual(['input_data.manual_prompt']);
});
