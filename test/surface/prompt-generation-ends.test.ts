/** Prompt generation (seed 004): tasks that are cancelled, and the endpoint that waits for the end. */
import { afterEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { cancelOf, GENERATE, MANUAL, type PromptWorld, promptWorld, statusOf, TIME } from './prompt-world.ts';

let world: PromptWorld;
afterEach(() => world.close());

describe('a cancel', () => {
  const CANCELLED = { status: 'failed', progress: 100, message: 'Cancelled', error: 'The generation was cancelled' };

  test('of a task that nobody took ends it, and the provider is never called', async () => {
    world = promptWorld();
    const id = await world.start();
    const { status, body } = await world.send('POST', cancelOf(id));
    expect([status, body]).toEqual([200, { success: true, task_id: id, ...CANCELLED, created_at: TIME }]);
    await world.work(id);
    expect(await world.look(id)).toEqual({ ...CANCELLED, created_at: TIME });
    expect(world.calls()).toBe(0);
    expect((await world.send('POST', cancelOf(id))).body).toEqual(body);
  });

  test('of a running task breaks its call off', async () => {
    let aborted = false;
    world = promptWorld(async function* (_, signal) {
      yield { type: 'accepted' } as LlmPart;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted = true;
    });
    const id = await world.start();
    const working = world.run(world.keyOf(id));
    await world.clock.advance(10);
    const { body } = await world.send('POST', cancelOf(id));
    // Shown at once: it can end in no other way.
    expect(body).toEqual({ success: true, task_id: id, ...CANCELLED, created_at: TIME });
    expect(aborted).toBe(false);
    expect(await world.clock.until(working)).toEqual({ finished: 'cancelled' });
    expect(aborted).toBe(true);
    expect(await world.look(id)).toEqual({ ...CANCELLED, created_at: TIME });
  });

  test('of a task that was completed changes nothing', async () => {
    world = promptWorld();
    const id = await world.start();
    await world.work(id);
    const { body } = await world.send('POST', cancelOf(id));
    expect(body).toEqual({ success: true, task_id: id, ...(await world.look(id)) });
    expect(body.status).toBe('completed');
  });
});

describe('the synchronous endpoint', () => {
  /** Starts it, and lets a worker take the task that it makes. */
  async function generate(run = true) {
    const answered = world.post(GENERATE, MANUAL);
    while (world.published.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const key = world.published[0] ?? { tenant: '', id: '' };
    if (run) await world.clock.until(world.run(key));
    return { id: key.id, reply: await world.clock.until(answered) };
  }

  test('answers with the prompt', async () => {
    world = promptWorld();
    const { reply } = await generate();
    expect([reply.status, reply.body]).toEqual([
      200,
      {
        ...{ success: true, status: 'completed', prompt: 'Hi!', generated_by_ai: true },
        message: 'Prompt generated successfully',
      },
    ]);
  });

  test('answers 504 with the task after 55 s, which goes on', async () => {
    world = promptWorld();
    const startMs = world.clock.nowMs();
    const { id, reply } = await generate(false);
    expect(world.clock.nowMs() - startMs).toBe(55_000);
    expect([reply.status, reply.body]).toEqual([
      504,
      {
        ...{ success: false, status: 'processing', task_id: id, status_url: statusOf(id) },
        ...{ message: expect.stringMatching(/status_url/), error: expect.any(String) },
      },
    ]);
    await world.work(id);
    // Its listener hears of it within a moment.
    await world.clock.advance(1_000);
    expect((await world.look(id)).status).toBe('completed');
  });

  test.each([
    ['insufficient_credits', 402, 'Insufficient tokens'],
    ['subscription_inactive', 403, 'Subscription is not active'],
    ['budget_exceeded', 402, 'Budget exceeded'],
  ] as const)('answers a task that failed with %s with %d', async (code, status, message) => {
    const sentence = 'You need at least 700 tokens for prompt enhancement. Available: 250';
    world = promptWorld(async function* () {
      yield { type: 'accepted' } as LlmPart;
      throw new ServiceError(code, sentence);
    });
    const { reply } = await generate();
    expect([reply.status, reply.body]).toEqual([
      status,
      { success: false, status: 'failed', message, error: sentence },
    ]);
  });
});
