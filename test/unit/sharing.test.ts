/** Equal submissions that share a job: for exactly as long as they may, and none that is of no use any more. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import { ADA, type CoreWorld, coreWorld, NO_RETRY } from '../support/core-world.ts';

const FOR_MS = 60_000;
let world: CoreWorld;
beforeEach(() => {
  world = coreWorld(undefined, NO_RETRY);
});
afterEach(() => world.close());

const submissionOf = (prompt: string) => ({ jobType: 'general_llm_request', model: 'simulated', input: { prompt } });

async function share(prompt = 'Equal.', principal: Principal = ADA, forMs = FOR_MS): Promise<Job> {
  return (await world.service.submitShared(principal, submissionOf(prompt), forMs)).job;
}

/** Turns the hands so that the next window begins after this long. */
async function untilBorder(leftMs: number): Promise<void> {
  await world.clock.advance(FOR_MS - (world.clock.nowMs() % FOR_MS) - leftMs);
}

describe('an equal submission', () => {
  test.each([1, 20_000, FOR_MS - 1, FOR_MS])(
    '%i ms before a border gets the job until its time is over',
    async (left) => {
      await untilBorder(left);
      const first = await share();
      for (const ageMs of [0, left - 1, left, FOR_MS - 1].filter((ms) => ms < FOR_MS)) {
        await world.clock.advance(first.createdAt + ageMs - world.clock.nowMs());
        const { job, replayed } = await world.service.submitShared(ADA, submissionOf('Equal.'), FOR_MS);
        expect([job.id, replayed]).toEqual([first.id, true]);
      }
      await world.clock.advance(1);
      const second = await world.service.submitShared(ADA, submissionOf('Equal.'), FOR_MS);
      expect(second.replayed).toBe(false);
      expect(second.job.id).not.toBe(first.id);
      expect(second.job.createdAt).toBe(first.createdAt + FOR_MS);
    },
  );

  test('at any time gets a job that is young enough, and a new one only where there is none', async () => {
    const made = new Map<string, Job>();
    let newest: Job | undefined;
    for (let n = 0; n < 300; n++) {
      await world.clock.advance(Math.floor(Math.abs(Math.sin(n * n)) * FOR_MS * 0.7));
      const nowMs = world.clock.nowMs();
      const job = await share();
      expect(nowMs - job.createdAt).toBeLessThan(FOR_MS);
      const isNew = !made.has(job.id);
      expect([n, isNew]).toEqual([n, !newest || nowMs - newest.createdAt >= FOR_MS]);
      if (isNew) newest = job;
      made.set(job.id, job);
    }
    expect(made.size).toBeGreaterThan(20);
  });

  test('is one of the same user, and says the same', async () => {
    const first = await share();
    const others = [
      await share('Other.'),
      await share('Equal.', { ...ADA, user: 'bob' }),
      await share('Equal.', { ...ADA, tenant: 'umbrella' }),
      (await world.service.submit(ADA, submissionOf('Equal.'))).job,
    ];
    expect(new Set([first, ...others].map(({ id }) => id)).size).toBe(5);
  });

  test('of many at once makes one job', async () => {
    const jobs = await Promise.all(Array.from({ length: 20 }, () => share()));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    expect(world.store.calls('create')).toBe(20);
  });

  test('costs one read more than a submit, and none when nobody shares', async () => {
    await share();
    expect([world.store.calls('get'), world.store.calls('create')]).toEqual([1, 1]);
    await untilBorder(0);
    await share();
    expect([world.store.calls('get'), world.store.calls('create')]).toEqual([2, 1]);
    await world.submit();
    expect([world.store.calls('get'), world.store.calls('create')]).toEqual([2, 2]);
  });
});

test('of two at once on both sides of a border each gets a job, and none is shared for too long', async () => {
  await untilBorder(1);
  let second: Job | undefined;
  world.store.before('create', async () => {
    await world.clock.advance(5);
    second = await share();
  });
  const first = await share();
  expect(second?.id).not.toBe(first.id);
  // As far as anybody sees, the first one is the older.
  expect((second?.createdAt ?? 0) - first.createdAt).toBe(5);
  const ages: number[] = [];
  for (const ms of [1, FOR_MS / 2, FOR_MS / 2 - 7, 1, 1, 1, 1, 1]) {
    await world.clock.advance(ms);
    const job = await share();
    ages.push(world.clock.nowMs() - job.createdAt);
  }
  expect(Math.max(...ages)).toBe(FOR_MS - 1);
});

describe('a job is not shared that', () => {
  const isFresh = async (first: Job) => {
    const before = world.store.calls('create');
    const [second, third] = [await share(), await share()];
    expect(new Set([first, second, third].map(({ id }) => id)).size).toBe(3);
    expect(world.store.calls('create')).toBeGreaterThan(before);
  };
  /** In the window in which it was made, and in the one after it. */
  const windows = [
    ['soon', 0],
    ['later', FOR_MS / 2 + 1],
  ] as const;

  test.each(windows)('was cancelled, asked for %s', async (_, ms) => {
    await untilBorder(FOR_MS / 2);
    const first = await share();
    await world.service.cancel(ADA, first.id);
    await world.clock.advance(ms);
    expect((await share()).id).not.toBe(first.id);
    if (ms === 0) await isFresh(first);
  });

  test.each(windows)('was deleted, asked for %s', async (_, ms) => {
    await untilBorder(FOR_MS / 2);
    const first = await share();
    await world.service.remove(ADA, first.id);
    await world.clock.advance(ms);
    expect((await share()).id).not.toBe(first.id);
    if (ms === 0) await isFresh(first);
  });

  test.each(windows)('was completed and then deleted, asked for %s', async (_, ms) => {
    await untilBorder(FOR_MS / 2);
    const first = await share();
    await world.clock.until(world.run(first));
    await world.service.remove(ADA, first.id);
    await world.clock.advance(ms);
    const { job, replayed } = await world.service.submitShared(ADA, submissionOf('Equal.'), FOR_MS);
    expect([job.id === first.id, job.deletedAt, replayed]).toEqual([false, undefined, false]);
  });

  test.each(windows)('failed, asked for %s', async (_, ms) => {
    world.close();
    world = coreWorld(async function* () {
      yield { type: 'accepted' };
      throw new Error('broken');
    }, NO_RETRY);
    await untilBorder(FOR_MS / 2);
    const first = await share();
    await world.clock.until(world.run(first));
    expect((await world.read(first)).state).toBe('failed');
    await world.clock.advance(ms);
    expect((await share()).id).not.toBe(first.id);
    if (ms === 0) await isFresh(first);
  });

  test('is about to be cancelled', async () => {
    world.close();
    world = coreWorld(async function* (_, signal) {
      yield { type: 'accepted' };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw signal.reason;
    });
    await untilBorder(FOR_MS / 2);
    const first = await share();
    const running = world.run(first);
    await world.clock.advance(10);
    expect((await share()).id).toBe(first.id);
    await world.service.cancel(ADA, first.id);
    expect((await share()).id).not.toBe(first.id);
    await world.clock.until(running);
  });
});

test('a completed job is shared: that is what it is for', async () => {
  const first = await share();
  await world.clock.until(world.run(first));
  const { job, replayed } = await world.service.submitShared(ADA, submissionOf('Equal.'), FOR_MS);
  expect([job.id, job.state, replayed]).toEqual([first.id, 'completed', true]);
  expect(world.calls()).toBe(1);
});

test('a store that takes longer than jobs are shared is no reason for a second job', async () => {
  world.store.fail('create', 'slow');
  const { job, replayed } = await world.clock.until(world.service.submitShared(ADA, submissionOf('Equal.'), 1_000));
  expect(world.clock.nowMs()).toBeGreaterThan(job.createdAt + 1_000);
  expect([world.store.fired(), world.store.calls('create'), replayed]).toEqual([1, 1, false]);
});

test('a store that gives no answer is no reason for a second job', async () => {
  await share();
  world.store.fail('get', 'before');
  await expect(share()).rejects.toMatchObject({ code: 'store_unavailable' });
  expect([world.store.fired(), world.store.calls('create')]).toEqual([1, 1]);
});
