/** Waiting for jobs and reading them from memory: what it costs, what a silent or late listener does, how it ends. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Seen } from '../../shared/core/access.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { knownJob, LINGER_MS, WATCHDOG_MS } from '../../shared/core/known-job.ts';
import type { StoredJob } from '../../shared/core/ports.ts';
import { sleep } from '../../shared/core/ports.ts';
import type { ReadOptions } from '../../shared/core/reading.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { ADA, answer, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { interceptedWatch, secondService } from '../support/second-service.ts';
import { virtualClock } from '../support/virtual-clock.ts';

/** Longer than a listener may say nothing. */
const CALL_MS = 20_000;

let world: CoreWorld;
let callMs = CALL_MS;
beforeEach(() => {
  world = coreWorld(async function* (_, signal) {
    await sleep(world.clock, callMs, signal);
    yield* answer();
  });
  callMs = CALL_MS;
});
afterEach(() => world.close());

const wait = ({ id }: Job, options: ReadOptions = {}, service = world.service) =>
  service.read(ADA, id, { waitMs: 55_000, ...options });
const gets = () => world.store.calls('get');
const watches = () => world.store.calls('watch');
/** How the promise stands, without waiting for it. */
async function outcome<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  promise.catch(() => {});
  await world.clock.advance(0);
  return Promise.race([promise, Promise.resolve('waiting' as const)]);
}

describe('reads are counted:', () => {
  test('a job that nobody waits for costs one each time', async () => {
    const job = await world.submit();
    for (let n = 1; n <= 3; n++) {
      await world.read(job);
      expect(gets()).toBe(n);
    }
    expect(watches()).toBe(0);
  });

  test('a wait costs a listener, whoever else waits or reads, and no read', async () => {
    callMs = 10_000;
    const job = await world.submit();
    const waiting = Array.from({ length: 20 }, () => wait(job, { until: 'over' }));
    await world.clock.advance(10);
    expect((await world.read(job)).state).toBe('pending');
    const ran = world.run(job);
    await world.clock.advance(1_000);
    expect((await world.read(job)).state).toBe('processing');
    const seen = await world.clock.until(Promise.all(waiting));
    expect(seen.every((one) => one.job.state === 'completed')).toBe(true);
    await ran;
    // Memory answers who comes a moment after the end, too.
    expect((await world.read(job)).state).toBe('completed');
    expect((await wait(job)).job.state).toBe('completed');
    expect([gets(), watches()]).toEqual([0, 1]);
  });

  test('a job that ended is asked for again when its end is no news any more', async () => {
    const job = await world.submit();
    await world.clock.until(world.run(job));
    const before = gets();
    for (let n = 0; n < 3; n++) await world.read(job);
    expect(gets() - before).toBe(1);
    await world.clock.advance(LINGER_MS + 1);
    await world.read(job);
    expect(gets() - before).toBe(2);
  });

  test('a listener that takes long to say its first word costs a read, one for all', async () => {
    const job = await world.submit();
    const service = secondService(
      world,
      interceptedWatch(world, () => {}),
    );
    const waiting = Array.from({ length: 20 }, () => wait(job, { waitMs: 1_000 }, service));
    await world.clock.advance(499);
    expect(gets()).toBe(0);
    await world.clock.until(Promise.all(waiting));
    expect(gets()).toBe(1);
  });

  test('that there is no such job costs no read, either, and leaves nothing', async () => {
    const missing = sampleJob({ tenant: ADA.tenant });
    await expect(world.clock.until(wait(missing))).rejects.toMatchObject({ code: 'job_not_found' });
    expect([gets(), watches(), world.service.listeners()]).toEqual([0, 1, 0]);
  });
});

describe('a wait', () => {
  test('ends with the next change, at the instant it happens', async () => {
    const job = await world.submit();
    const waiting = wait(job);
    await world.clock.advance(3_000);
    expect(await outcome(waiting)).toBe('waiting');
    const ran = world.run(job);
    expect((await world.clock.until(waiting)).job).toMatchObject({ state: 'processing', version: 2 });
    expect(world.clock.monotonicMs()).toBe(3_000);
    await world.clock.until(ran);
  });

  test('for the end does not end with a change', async () => {
    const job = await world.submit();
    const waiting = wait(job, { until: 'over' });
    const ran = world.run(job);
    await world.clock.advance(CALL_MS - 1);
    expect(await outcome(waiting)).toBe('waiting');
    expect((await world.clock.until(waiting)).job.state).toBe('completed');
    expect(world.clock.monotonicMs()).toBe(CALL_MS);
    await ran;
  });

  test('since a version that is history ends at once; one from the future waits for the next change', async () => {
    const job = await world.submit();
    const ran = world.run(job);
    await world.clock.advance(100);
    expect((await world.clock.until(wait(job, { leastVersion: 1 }))).job.version).toBe(2);
    expect(world.clock.monotonicMs()).toBe(100);
    await world.clock.until(ran);
    const next = await world.submit();
    const forged = wait(next, { leastVersion: 999 });
    expect(await outcome(forged)).toBe('waiting');
    const nextRan = world.run(next);
    expect((await world.clock.until(forged)).job.version).toBe(2);
    await world.clock.until(nextRan);
  });

  test('is over when its time is, its first look included, with the time as it is then', async () => {
    const job = await world.submit();
    const service = secondService(
      world,
      interceptedWatch(world, () => {}),
    );
    const waiting = wait(job, { waitMs: 2_000 }, service);
    const { nowMs } = await world.clock.until(waiting);
    expect(world.clock.monotonicMs()).toBe(2_000);
    expect(nowMs - job.createdAt).toBe(2_000);
  });

  test('of a client that goes away ends, and its listener with it', async () => {
    const job = await world.submit();
    const gone = new AbortController();
    const waiting = wait(job, { signal: gone.signal });
    await world.clock.advance(100);
    expect([await outcome(waiting), world.service.listeners()]).toEqual(['waiting', 1]);
    gone.abort();
    expect(await outcome(waiting)).toMatchObject({ job: { state: 'pending' } });
    await world.clock.advance(LINGER_MS - 1);
    expect(world.service.listeners()).toBe(1);
    await world.clock.advance(1);
    expect(world.service.listeners()).toBe(0);
  });

  test('of somebody who must not see the job is none', async () => {
    const job = await world.submit();
    const bob = world.service.read({ ...ADA, user: 'bob' }, job.id, { waitMs: 1_000 });
    await expect(world.clock.until(bob)).rejects.toMatchObject({ code: 'job_not_found' });
  });

  test('of a job that is deleted meanwhile ends: it is not found', async () => {
    const job = await world.submit();
    const waiting = wait(job);
    await world.clock.advance(100);
    await world.service.remove(ADA, job.id);
    await expect(outcome(waiting)).rejects.toMatchObject({ code: 'job_not_found' });
  });

  test('misses nothing that happens between its look and its wait', async () => {
    for (let hops = 0; hops < 12; hops++) {
      const job = await world.submit();
      let tell = (_: StoredJob) => {};
      const at = (version: number): StoredJob => ({
        ...{ job: { ...job, version }, revision: String(version), storedAtMs: job.createdAt },
        readAtMs: world.clock.nowMs(),
      });
      const service = secondService(world, {
        watch(_, onJob) {
          tell = onJob;
          onJob(at(1));
          return () => {};
        },
        async get() {
          void (async () => {
            for (let n = 0; n < hops; n++) await undefined;
            tell(at(3));
          })();
          return at(2);
        },
      });
      expect([hops, ((await outcome(wait(job, { leastVersion: 2 }, service))) as Seen).job?.version]).toEqual([
        hops,
        3,
      ]);
      service.close();
    }
  });

  test('is not answered by a look that began before its reader saw a newer version', async () => {
    const job = await world.submit();
    const service = secondService(world, {
      ...interceptedWatch(world, () => {}),
      async get(key) {
        const found = await world.store.get(key);
        await sleep(world.clock, 1_000);
        return found;
      },
    });
    const first = wait(job, { waitMs: 3_000 }, service);
    await world.clock.advance(600);
    expect(gets()).toBe(1);
    const ran = world.run(job);
    await world.clock.advance(10);
    const second = wait(job, { waitMs: 3_000, leastVersion: 2 }, service);
    expect((await world.clock.until(second)).job.version).toBe(2);
    await world.clock.until(Promise.all([first, ran]));
    service.close();
  });
});

describe('Q02: a listener that falls silent', () => {
  /** A service whose first listener is told one thing and nothing more; the next ones work. */
  function deaf() {
    let kept = 0;
    let opened = 0;
    const watch = (key: Job, onJob: (found: StoredJob | undefined) => void) => {
      const nth = ++opened;
      let told = 0;
      return world.store.watch(key, (found) => {
        if (nth > 1 || told++ === 0) onJob(found);
        else kept += 1;
      });
    };
    return { service: secondService(world, { watch: watch as never }), kept: () => kept, opened: () => opened };
  }

  test("is noticed by who waits within the watchdog's period, and opened again", async () => {
    const { service, kept, opened } = deaf();
    const job = await world.submit();
    const waiting = wait(job, {}, service);
    await world.clock.advance(100);
    const ran = world.run(job);
    await world.clock.advance(WATCHDOG_MS - 101);
    expect([kept(), await outcome(waiting)]).toEqual([1, 'waiting']);
    expect((await world.clock.until(waiting)).job.state).toBe('processing');
    expect(world.clock.monotonicMs()).toBe(WATCHDOG_MS);
    expect(world.lines.join()).toContain('listener-silent');
    const end = await world.clock.until(wait(job, { until: 'over' }, service));
    // By the new listener: at once, and without another read.
    expect([end.job.state, world.clock.monotonicMs()]).toEqual(['completed', CALL_MS + 100]);
    expect([opened(), gets()]).toEqual([2, 1]);
    await ran;
    service.close();
  });

  test('is noticed also where new readers come all the time', async () => {
    const { service, kept } = deaf();
    const job = await world.submit();
    let seen: Seen | undefined;
    const readers = (async () => {
      while (seen?.job.version !== 2) {
        seen = await wait(job, { waitMs: 4_000 }, service);
        await sleep(world.clock, 10);
      }
    })();
    await world.clock.advance(100);
    const ran = world.run(job);
    await world.clock.until(readers);
    expect(kept()).toBe(1);
    expect(world.clock.monotonicMs()).toBeLessThanOrEqual(WATCHDOG_MS + 4_010);
    await world.clock.until(ran);
    service.close();
  });

  test('is no witness where the store gives no answer, either', async () => {
    const { service } = deaf();
    const job = await world.submit();
    const waiting = wait(job, {}, service);
    world.store.fail('get', 'before', { times: 2 });
    await world.clock.advance(WATCHDOG_MS + 1);
    expect(world.store.fired()).toBe(1);
    await expect(service.read(ADA, job.id)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.store.fired()).toBe(2);
    // The next look works, and what it finds is known again.
    const ran = world.run(job);
    expect((await world.clock.until(waiting)).job.state).toBe('processing');
    expect(world.clock.monotonicMs()).toBe(2 * WATCHDOG_MS);
    const before = gets();
    await service.read(ADA, job.id);
    expect(gets()).toBe(before);
    await world.clock.until(ran);
    service.close();
  });

  test('and a store that gives no answer are waited through, as long as the client waits', async () => {
    const job = await world.submit();
    const service = secondService(
      world,
      interceptedWatch(world, () => {}),
    );
    world.store.fail('get', 'hang', { times: 2 });
    const waiting = wait(job, { waitMs: 14_000 }, service);
    expect((await world.clock.until(waiting)).job.state).toBe('pending');
    expect([world.store.fired('hang'), world.clock.monotonicMs()]).toEqual([2, 14_000]);
    world.store.fail('get', 'before', { times: 9 });
    await world.clock.advance(LINGER_MS);
    const failing = wait(job, { waitMs: 3_000 }, service);
    await expect(world.clock.until(failing)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.store.fired('before')).toBeGreaterThan(1);
    const endMs = 14_000 + LINGER_MS + 3_000;
    expect(world.clock.monotonicMs()).toBeGreaterThan(endMs - 1_500);
    expect(world.clock.monotonicMs()).toBeLessThanOrEqual(endMs);
    service.close();
  });

  test('one that calls back within its own opening is closed all the same', async () => {
    const job = await world.submit();
    await world.clock.until(world.run(job));
    const found = await world.store.get(job);
    let open = 0;
    const service = secondService(world, {
      watch(_, onJob) {
        open += 1;
        onJob(found);
        return () => {
          open -= 1;
        };
      },
    });
    expect((await world.clock.until(wait(job, {}, service))).job.state).toBe('completed');
    expect(open).toBe(0);
  });
});

describe('a crowd:', () => {
  const CROWD = 500;

  test('500 who wait for one job see its end, by one listener, and none is left', async () => {
    const job = await world.submit();
    const waiting = Array.from({ length: CROWD }, () => wait(job, { until: 'over' }));
    const ran = world.run(job);
    await world.clock.advance(10);
    expect(world.service.listeners()).toBe(1);
    const seen = await world.clock.until(Promise.all(waiting));
    expect(seen.filter((one) => one.job.state === 'completed')).toHaveLength(CROWD);
    await ran;
    await world.clock.advance(LINGER_MS);
    expect([watches(), world.service.listeners()]).toEqual([1, 0]);
  });

  test('500 who wait for 500 jobs see their ends, and no listener is left', async () => {
    const jobs: Job[] = [];
    for (let n = 0; n < CROWD; n++) jobs.push(await world.submit(`Job ${n}.`));
    const waiting = jobs.map((job) => wait(job, { until: 'over' }));
    await world.clock.advance(10);
    expect(world.service.listeners()).toBe(CROWD);
    const ran = jobs.map((job) => world.run(job));
    const seen = await world.clock.until(Promise.all(waiting));
    expect(seen.map((one) => [one.job.id, one.job.state])).toEqual(jobs.map(({ id }) => [id, 'completed']));
    await world.clock.until(Promise.all(ran));
    await world.clock.advance(LINGER_MS);
    expect([watches(), world.service.listeners()]).toEqual([CROWD, 0]);
  });

  test('500 who give up leave no listener, either', async () => {
    const jobs: Job[] = [];
    for (let n = 0; n < CROWD; n++) jobs.push(await world.submit(`Job ${n}.`));
    await world.clock.until(Promise.all(jobs.map((job) => wait(job, { waitMs: 1_000 }))));
    expect(world.service.listeners()).toBeGreaterThan(0);
    await world.clock.advance(LINGER_MS);
    expect(world.service.listeners()).toBe(0);
  });
});

describe('when the process ends,', () => {
  test('who waits is answered at once with the job as it is, and nobody listens any more', async () => {
    const job = await world.submit();
    const waiting = [wait(job), wait(job, { until: 'over' })];
    await world.clock.advance(1_000);
    world.service.close();
    expect(await Promise.all(waiting.map(outcome))).toMatchObject([
      { job: { state: 'pending' }, nowMs: job.createdAt + 1_000 },
      { job: { state: 'pending' } },
    ]);
    expect(world.service.listeners()).toBe(0);
  });

  test('who has not heard a first word yet is answered by a look', async () => {
    const job = await world.submit();
    const service = secondService(
      world,
      interceptedWatch(world, () => {}),
    );
    const waiting = wait(job, {}, service);
    await world.clock.advance(100);
    service.close();
    expect(await outcome(waiting)).toMatchObject({ job: { state: 'pending' } });
    expect(gets()).toBe(1);
  });

  test('who comes later is answered at once, and opens no listener', async () => {
    const job = await world.submit();
    world.service.close();
    expect(await outcome(wait(job))).toMatchObject({ job: { state: 'pending' } });
    await world.clock.until(world.run(job));
    expect(await outcome(wait(job))).toMatchObject({ job: { state: 'completed' } });
    expect([watches(), world.service.listeners()]).toEqual([0, 0]);
  });
});

test('a job that another process deleted is not shown for longer than its end is news, however often it is read', async () => {
  const job = await world.submit();
  await world.clock.until(world.run(job));
  const other = secondService(world);
  expect((await world.clock.until(wait(job, {}, other))).job.state).toBe('completed');
  await world.service.remove(ADA, job.id);
  const shownUntilMs = world.clock.monotonicMs() + LINGER_MS;
  let isFound = true;
  while (isFound) {
    const read = wait(job, {}, other).then(
      () => true,
      () => false,
    );
    isFound = await world.clock.until(read);
    if (isFound) expect(world.clock.monotonicMs()).toBeLessThanOrEqual(shownUntilMs);
    await world.clock.advance(1_000);
  }
  other.close();
});

describe('of two processes, one of which hears late,', () => {
  test.each([0, 40, 700, 3_000, 20_000])(
    'none shows an older version than the reader has seen (late by %i ms)',
    async (lateMs) => {
      let kept = 0;
      const late = secondService(
        world,
        interceptedWatch(world, (found, tell) => {
          if (lateMs === 0) return tell(found);
          kept += 1;
          world.clock.setTimer(() => tell(found), lateMs);
        }),
      );
      const job = await world.submit();
      const services = [world.service, late];
      // So that both have listeners, which answer from memory.
      const gone = new AbortController();
      const companions = services.map((service) => wait(job, { until: 'over', signal: gone.signal }, service));
      const reader = async () => {
        let leastVersion = 1;
        for (let n = 0; ; n++) {
          const waitMs = n % 3 === 0 ? 700 : undefined;
          const service = services[n % 2] ?? late;
          const { job: seen } = await service.read(ADA, job.id, { leastVersion, waitMs });
          expect(seen.version).toBeGreaterThanOrEqual(leastVersion);
          leastVersion = seen.version;
          if (isTerminal(seen.state)) return n;
          await sleep(world.clock, 37);
        }
      };
      const readers = Promise.all([reader(), reader()]);
      await world.clock.advance(50);
      const ran = world.run(job);
      for (const polls of await world.clock.until(readers)) expect(polls).toBeGreaterThan(10);
      gone.abort();
      await Promise.all([ran, ...companions]);
      expect(kept > 0).toBe(lateMs > 0);
      late.close();
    },
  );
});

test('the time that a reader is shown does not go back when an answer was on its way for a while', async () => {
  const clock = virtualClock();
  const known = knownJob(clock);
  const job = sampleJob();
  const at = (readAtMs: number, version = 1): StoredJob => ({
    ...{ job: { ...job, version }, revision: '', readAtMs, storedAtMs: 0 },
  });
  expect(known.hear(undefined)).toBe('news');
  expect([known.isKnown(), known.version(), known.seen()]).toEqual([true, 0, undefined]);
  expect(known.hear(at(1_000))).toBe('news');
  await clock.advance(500);
  expect(known.seen()?.nowMs).toBe(1_500);
  expect(known.hear(at(1_490))).toBe('same');
  expect(known.seen()?.nowMs).toBe(1_500);
  expect(known.hear(at(1_495, 2))).toBe('news');
  expect(known.seen()).toMatchObject({ job: { version: 2 }, nowMs: 1_500 });
  expect(known.hear(at(1_800, 1))).toBe('outdated');
  expect(known.hear(at(1_494, 2))).toBe('outdated');
  expect(known.hear(undefined)).toBe('outdated');
  expect(known.seen()?.job.version).toBe(2);
  expect(known.hear(at(2_000, 2))).toBe('same');
  expect(known.seen()?.nowMs).toBe(2_000);
});
