/** Prompt generation (seed 004): whole bodies, as its document shows them. */
import { afterEach, describe, expect, test } from 'vitest';
import type { JobChanges } from '../../shared/core/job.ts';
import { cancelOf, GENERATE, MANUAL, type PromptWorld, promptWorld, START, statusOf, TIME } from './prompt-world.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const QUEUED = { status: 'queued', progress: 0, message: 'Task queued, waiting to start...', created_at: TIME };
const VISIBLE_MS = 600_000;

let world: PromptWorld;
afterEach(() => world.close());

/** Puts a task into a state that no provider of this test brings about. */
async function store(id: string, changes: JobChanges): Promise<void> {
  const found = await world.store.get(world.keyOf(id));
  const version = (found?.job.version ?? 0) + 1;
  await world.store.update(world.keyOf(id), found?.revision ?? '', { ...changes, version });
}

describe('a start', () => {
  test('answers at once with the task and where it is read', async () => {
    world = promptWorld();
    const { status, headers, body } = await world.post(START, MANUAL);
    expect(status).toBe(202);
    expect(body).toEqual({
      success: true,
      task_id: expect.stringMatching(UUID),
      status: 'queued',
      message: 'Prompt generation started. Use task_id to check status.',
      status_url: `/api/v1/web-knowledge/generate-prompt-async/status/${body.task_id}/`,
    });
    expect(headers.get('Location')).toBe(body.status_url);
    expect(await world.look(body.task_id)).toEqual(QUEUED);
    expect(world.calls()).toBe(0);
  });

  test('with a key is one task however often it is sent', async () => {
    world = promptWorld();
    const key = { 'Idempotency-Key': 'mine-1' };
    const id = await world.start(key);
    await world.work(id);
    const { status, headers, body } = await world.post(START, MANUAL, key);
    expect([status, body.task_id, body.status]).toEqual([202, id, 'completed']);
    expect(headers.get('Idempotency-Replayed')).toBe('true');
    const other = await world.post(START, { manual_prompt: 'Something else.' }, key);
    expect([other.status, other.body]).toEqual([
      409,
      { success: false, message: other.body.error, error: expect.stringMatching(/Idempotency-Key/) },
    ]);
    await world.clock.advance(VISIBLE_MS);
    expect((await world.post(START, MANUAL, key)).status).toBe(409);
    expect((await world.post(GENERATE, MANUAL, key)).status).toBe(409);
    expect((await world.post(START, MANUAL, { 'Idempotency-Key': '' })).status).toBe(400);
  });

  test('with a field that nobody knows is taken', async () => {
    world = promptWorld();
    const { status } = await world.post(START, { ...MANUAL, model: 'gpt-4', prompt: 'Hi', text: 5 });
    expect(status).toBe(202);
  });
});

describe('a status', () => {
  test.each([
    ['initializing', 10, 'Initializing AI generation...'],
    ['checking_tokens', 30, 'Checking tokens...'],
    ['generating', 50, 'Generating enhanced prompt with AI...'],
    ['waiting_for_ai', 70, 'Waiting for AI response...'],
    ['finalizing', 90, 'Finalizing...'],
    ['waiting', 70, 'Waiting for AI response...'],
    ['calling_llm', 70, 'Waiting for AI response...'],
  ])('of a first attempt at %s is %d %%', async (stage, progress, message) => {
    world = promptWorld();
    const id = await world.start();
    await store(id, { state: 'processing', attempt: 1, stage });
    const { status, body } = await world.get(statusOf(id));
    expect([status, body]).toEqual([200, { status: 'processing', progress, message, created_at: TIME }]);
  });

  test.each([
    ['initializing', 70],
    ['generating', 70],
    ['waiting', 70],
    ['finalizing', 90],
  ])('of a second attempt at %s is %d %%: it does not go back', async (stage, progress) => {
    world = promptWorld();
    const id = await world.start();
    await store(id, { state: 'processing', attempt: 2, stage });
    expect((await world.look(id)).progress).toBe(progress);
  });

  test('of a task whose prompt was made has it', async () => {
    world = promptWorld();
    const id = await world.start();
    await world.work(id);
    const { status, headers, body } = await world.get(statusOf(id));
    expect([status, body]).toEqual([
      200,
      {
        status: 'completed',
        progress: 100,
        message: 'Prompt generated successfully',
        prompt: 'Hi!',
        generated_by_ai: true,
        created_at: TIME,
        completed_at: TIME,
      },
    ]);
    expect(headers.get('Cache-Control')).toBe('no-store');
    const glance = await world.send('HEAD', statusOf(id));
    expect([glance.status, glance.body]).toEqual([200, undefined]);
  });

  test.each([
    [
      { code: 'insufficient_credits', message: 'You need at least 700 tokens for prompt enhancement. Available: 250' },
      'Insufficient tokens',
    ],
    [{ code: 'subscription_inactive', message: 'Renew your subscription.' }, 'Subscription is not active'],
    [{ code: 'budget_exceeded', message: 'Nothing is left.' }, 'Budget exceeded'],
    [{ code: 'job_timeout', message: 'The job was not over within 100 s (timeout).' }, 'AI generation failed'],
  ])('of a task that failed with $code says why', async (error, message) => {
    world = promptWorld();
    const id = await world.start();
    const now = world.clock.nowMs();
    await store(id, { state: 'failed', error, completedAt: now, wakeAt: null, expiresAt: now + 10 * VISIBLE_MS });
    const { status, body } = await world.get(statusOf(id));
    expect([status, body]).toEqual([
      200,
      { status: 'failed', progress: 100, message, error: error.message, created_at: TIME },
    ]);
  });

  test.each([
    ['is there until ten minutes after its end', VISIBLE_MS - 1, 200],
    ['is gone then', VISIBLE_MS, 404],
  ])('of a task that is over %s', async (_, afterMs, expected) => {
    world = promptWorld();
    const id = await world.start();
    await world.work(id);
    await world.clock.advance(afterMs);
    const { status, body } = await world.get(statusOf(id));
    expect(status).toBe(expected);
    const cancelled = await world.send('POST', cancelOf(id));
    expect(cancelled.status).toBe(expected);
    if (expected === 404) {
      const gone = {
        success: false,
        message: 'Task not found',
        error: 'Task not found',
        status: 'failed',
        progress: 100,
      };
      expect([body, cancelled.body]).toEqual([gone, gone]);
      // The job keeps the retention of its type.
      expect((await world.get(`/api/llm/jobs/${id}/status/`)).status).toBe(200);
    }
  });

  test('of a task whose prompt was removed is gone', async () => {
    world = promptWorld();
    const id = await world.start();
    await world.work(id);
    await store(id, { result: undefined });
    const { status, body } = await world.get(statusOf(id));
    expect([status, body.message, body.status]).toEqual([404, 'Task not found', 'failed']);
  });

  test('of a job of another contract is not found, and changes nothing, though its time is over; nor does its cancel', async () => {
    world = promptWorld();
    const job = await world.submit('Hello.', { limits: { timeoutMs: 5_000 } });
    await world.clock.advance(60_000);
    for (const { status, body } of [
      await world.get(statusOf(job.id)),
      await world.send('POST', cancelOf(job.id)),
      await world.get(statusOf('abc123-def456-ghi789')),
    ]) {
      expect([status, body.message]).toEqual([404, 'Task not found']);
    }
    expect((await world.read(job)).state).toBe('pending');
  });
});
