/** How long jobs can be read, by whose clock, and what memory may say of jobs that are gone. On virtual time. */
import { afterEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { fingerprintOf } from '../../shared/core/ids.ts';
import type { Job } from '../../shared/core/job.ts';
import { DEFAULT_RETENTION_MS } from '../../shared/core/retention.ts';
import { type JobService, jobService } from '../../shared/core/service.ts';
import { sweep } from '../../shared/core/sweep.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { ADA, answer, type CoreWorld, coreWorld, NO_PROVIDERS, NO_RETRY } from '../support/core-world.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE = { retentionMs: 60_000 };
/** What a process remembers of a job that is over, at the longest. */
const MEMORY_MS = 5_000;
const NOT_FOUND = { code: 'job_not_found' };

let world: CoreWorld;
afterEach(() => world.close());

/** Another process on the same store, whose wall clock may be wrong. */
function anotherProcess(skewMs = 0, jobTypes = world.jobTypes): JobService {
  const clock = { ...world.clock, nowMs: () => world.clock.nowMs() + skewMs };
  return jobService({ ...world, jobTypes, clock, models: modelCatalog({ ...NO_PROVIDERS, clock }), wakeShards: 1 });
}

async function stored(job: Job): Promise<Job> {
  const found = await world.store.get(job);
  if (!found) throw new Error('the job is not stored');
  return found.job;
}

async function completed(over = {}): Promise<Job> {
  const job = await world.submit('Hello.', { ...MINUTE, ...over });
  expect(await world.run(job)).toEqual({ finished: 'completed' });
  return stored(job);
}

describe('a job is kept from its end on', () => {
  const ends: [string, () => Promise<Job>, string][] = [
    ['completed', () => completed(), 'completed'],
    [
      'failed',
      async () => {
        const job = await world.submit('Hello.', { ...MINUTE, limits: { startWithinMs: 1_000 } });
        await world.clock.advance(5_000);
        await sweep(world);
        return stored(job);
      },
      'failed',
    ],
    [
      'cancelled',
      async () => {
        const job = await world.submit('Hello.', MINUTE);
        await world.clock.advance(5_000);
        await world.service.cancel(ADA, job.id);
        return stored(job);
      },
      'cancelled',
    ],
  ];

  test.each(ends)('%s', async (_, end, state) => {
    world = coreWorld();
    const job = await end();
    expect(job).toMatchObject({ state, retentionMs: 60_000, expiresAt: (job.completedAt ?? 0) + 60_000 });
    // What was used outlives what was said.
    expect(job.deleteAt).toBe((job.expiresAt ?? 0) + 30 * DAY_MS);
  });

  test('however long it waited and ran before', async () => {
    world = coreWorld(async function* () {
      await new Promise<void>((resolve) => void world.clock.setTimer(resolve, 50_000));
      yield* answer();
    });
    const job = await world.submit('Hello.', MINUTE);
    await world.clock.advance(50_000);
    expect(await stored(job)).not.toHaveProperty('expiresAt');
    await world.clock.until(world.run(job));
    const { createdAt, completedAt = 0, expiresAt } = await stored(job);
    expect(completedAt - createdAt).toBeGreaterThan(90_000);
    expect(expiresAt).toBe(completedAt + 60_000);
  });

  test('as its type says, where it does not say otherwise', async () => {
    world = coreWorld();
    const types = new Map([...world.jobTypes].map(([name, type]) => [name, { ...type, retentionMs: HOUR_MS }]));
    const service = anotherProcess(0, types);
    const submission = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.' } };
    const { job: plain } = await service.submit(ADA, submission);
    const { job: own } = await service.submit(ADA, { ...submission, ...MINUTE });
    const usual = await world.submit();
    for (const job of [plain, own, usual]) await world.run(job);
    const kept = async (job: Job) => ((await stored(job)).expiresAt ?? 0) - ((await stored(job)).completedAt ?? 0);
    expect(await kept(plain)).toBe(HOUR_MS);
    expect(await kept(own)).toBe(60_000);
    expect(await kept(usual)).toBe(DEFAULT_RETENTION_MS);
  });

  test('by default, when an older version wrote it and a newer one ends it', async () => {
    world = coreWorld();
    const job = await world.submit();
    const { revision } = (await world.store.get(job)) ?? { revision: '' };
    await world.store.update(job, revision, { retentionMs: undefined, limits: undefined });
    await world.run(job);
    const { completedAt = 0, expiresAt } = await stored(job);
    expect(expiresAt).toBe(completedAt + DEFAULT_RETENTION_MS);
  });

  test('also when it is only the record of a message that could not be taken in', async () => {
    world = coreWorld();
    const message = { messageId: 'm', content: { job_type: 'nonsense' } };
    const job = await world.service.recordRejected(ADA, message, new ServiceError('invalid_request', 'wrong'));
    expect(await stored(job)).toMatchObject({ expiresAt: job.createdAt + DEFAULT_RETENTION_MS });
    expect((await world.service.read(ADA, job.id)).job.state).toBe('failed');
    await world.clock.advance(DEFAULT_RETENTION_MS);
    await expect(world.service.read(ADA, job.id)).rejects.toMatchObject(NOT_FOUND);
  });
});

/** Every way to ask for a job. */
const ASKS: [string, (service: JobService, id: string) => Promise<unknown>][] = [
  ['read', (service, id) => service.read(ADA, id)],
  ['wait', (service, id) => service.read(ADA, id, { waitMs: 1_000 })],
  ['cancel', (service, id) => service.cancel(ADA, id)],
  ['delete', (service, id) => service.remove(ADA, id)],
  ['stream', (service, id) => service.stream(ADA, id, undefined, AbortSignal.timeout(1))],
  [
    'read among many',
    async (service, id) => {
      if (!(await service.readMany(ADA, [id]))[0]) throw new ServiceError('job_not_found', '');
    },
  ],
  [
    'list',
    async (service) => {
      if ((await service.list(ADA, { limit: 10, offset: 0 })).jobs.length === 0)
        throw new ServiceError('job_not_found', '');
    },
  ],
];

describe.each([0, HOUR_MS, -HOUR_MS])('to a process whose clock is %d ms wrong', (skewMs) => {
  test.each(ASKS)('a job is there until the instant, and not from it on: %s', async (_, ask) => {
    world = coreWorld();
    const { id } = await completed();
    const [there, gone] = [anotherProcess(skewMs), anotherProcess(skewMs)];
    await world.clock.advance(59_999);
    await world.clock.until(ask(there, id));
    // A job that was deleted just now is another matter.
    const { deletedAt } = await stored({ ...ADA, id } as never);
    if (deletedAt !== undefined) return;
    await world.clock.advance(1);
    for (const service of [gone, there]) {
      await expect(world.clock.until(ask(service, id))).rejects.toMatchObject(NOT_FOUND);
    }
  });

  test('a repeat of its submit is the same job until the instant, and refused from it on', async () => {
    world = coreWorld();
    const submission = {
      ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.' } },
      ...{ ...MINUTE, idempotencyKey: 'k' },
    };
    const { job } = await world.service.submit(ADA, submission);
    await world.run(job);
    const service = anotherProcess(skewMs);
    await world.clock.advance(59_999);
    expect(await service.submit(ADA, submission)).toMatchObject({ replayed: true, job: { state: 'completed' } });
    await world.clock.advance(1);
    const refusal = { code: 'job_id_taken', message: expect.stringContaining('it has expired or was deleted') };
    await expect(service.submit(ADA, submission)).rejects.toMatchObject(refusal);
    expect(world.calls()).toBe(1);
  });
});

describe('memory', () => {
  test('answers without a read, and forgets a job at its instant all the same', async () => {
    world = coreWorld();
    const { id, completedAt = 0 } = await completed();
    await world.clock.advance(57_000 - (world.clock.nowMs() - completedAt));
    await world.service.read(ADA, id);
    const reads = world.store.calls('get');
    await world.clock.advance(2_999);
    expect((await world.service.read(ADA, id)).job.id).toBe(id);
    await world.clock.advance(1);
    for (const ask of [() => world.service.read(ADA, id), () => world.service.read(ADA, id, { waitMs: 1_000 })]) {
      await expect(ask()).rejects.toMatchObject(NOT_FOUND);
    }
    expect(world.store.calls('get')).toBe(reads);
  });

  test('of the process that deleted it has no deleted job', async () => {
    world = coreWorld();
    const { id } = await completed();
    await world.service.read(ADA, id);
    await world.service.remove(ADA, id);
    const reads = world.store.calls('get');
    await expect(world.service.read(ADA, id)).rejects.toMatchObject(NOT_FOUND);
    expect(world.store.calls('get')).toBe(reads);
  });

  test.each([0, 1_000])(
    'of another process loses it in a moment, also for one who asks all the time (wait %d)',
    async (waitMs) => {
      world = coreWorld();
      const { id } = await completed({ retentionMs: DAY_MS });
      const other = anotherProcess();
      const ask = () => world.clock.until(other.read(ADA, id, { waitMs }));
      await ask();
      await world.service.remove(ADA, id);
      let askedMs = 0;
      for (; askedMs < 10 * MEMORY_MS; askedMs += 500) {
        const found = await ask().catch((error: ServiceError) => error.code);
        if (found === 'job_not_found') break;
        await world.clock.advance(500);
      }
      expect(askedMs).toBeLessThanOrEqual(MEMORY_MS);
      await expect(ask()).rejects.toMatchObject(NOT_FOUND);
    },
  );

  test('is told of a delete while the job is watched, and whoever waits is told at once', async () => {
    world = coreWorld(answer, NO_RETRY);
    const job = await world.submit();
    const other = anotherProcess();
    const waiting = other.read(ADA, job.id, { waitMs: 50_000 });
    waiting.catch(() => {});
    await world.clock.advance(1_000);
    const asked = world.clock.monotonicMs();
    await world.service.remove(ADA, job.id);
    await expect(world.clock.until(waiting)).rejects.toMatchObject(NOT_FOUND);
    expect(world.clock.monotonicMs() - asked).toBeLessThan(100);
  });
});

test('what was submitted before there were tags has the fingerprint that it had', async () => {
  world = coreWorld();
  const input = { prompt: 'Hello.' };
  const before = { jobType: 'general_llm_request', model: 'simulated', input, questionId: null };
  expect((await world.submit('Hello.')).fingerprint).toBe(await fingerprintOf(before));
  expect((await world.submit('Hello.', { questionId: 'q', limits: { timeoutMs: 5_000 } })).fingerprint).toBe(
    await fingerprintOf({ ...before, questionId: 'q', limits: { timeoutMs: 5_000 } }),
  );
  const tagged = await world.submit('Hello.', { tags: ['a'] });
  expect(tagged.fingerprint).not.toBe(await fingerprintOf(before));
});
