/** What a worker tells of a route by what became of its calls, and what it leaves undone where one is known to fail. */
import { afterEach, describe, expect, test } from 'vitest';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import { FAILURES_TO_OPEN, OPEN_LEAST_MS } from '../../shared/core/breaker.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { Background } from '../../shared/core/llm.ts';
import { modelLimits } from '../../shared/core/model-limits.ts';
import type { RetryPolicy } from '../../shared/core/retry.ts';
import { ADA, type CoreWorld, NO_RETRY } from '../support/core-world.ts';
import { type Fate, routesWorld } from '../support/routes-world.ts';

const DOWN: Fate = { fails: 'overloaded' };
const OTHER = { model: { id: 'b', name: 'B', provider: 'openai', model: 'gpt-4o' } };

let world: CoreWorld;
afterEach(() => world.close());

type Settings = { retry?: RetryPolicy; perMinute?: number };

function open(fate: (call: number) => Fate, { retry, perMinute }: Settings = {}) {
  const requestsPerMinute = new Map(perMinute === undefined ? [] : [['simulated', perMinute]]);
  const limits = ({ clock }: CoreWorld) =>
    modelLimits({
      clock,
      windowLimiter: memoryWindowLimiter({ clock }),
      requestsPerMinute,
      tokensPerMinute: new Map(),
    });
  const { routes, ...opened } = routesWorld(fate, { retry, limits });
  world = opened.world;
  return { ...opened, isOpen: (job: Job) => routes.isOpen({ model: job.model }) };
}

/** Jobs that fail open the breaker of their route: the last one, and the end of its run. */
async function breakIt(worker: CoreWorld['worker']) {
  let last = { job: await world.submit(), ended: [] as unknown[] };
  for (let n = 1; n <= FAILURES_TO_OPEN; n++) {
    const { job, ended } = last;
    void worker.run(job).then((outcome) => ended.push(outcome));
    await world.clock.advance(0);
    if (n < FAILURES_TO_OPEN) last = { job: await world.submit(), ended: [] };
  }
  expect(world.lines.filter((line) => line.includes('breaker-opened'))).toHaveLength(1);
  return last;
}

describe('who has to wait for a breaker records no attempt for that, and does not stay to ring', () => {
  test('while it is open', async () => {
    const { worker } = open((call) => (call <= FAILURES_TO_OPEN ? DOWN : undefined));
    const { job, ended } = await breakIt(worker);
    expect(ended).toEqual([{ handedBack: 'overloaded' }]);
    const waiting = await world.read(job);
    expect(waiting.attempts).toMatchObject([{ outcome: 'failed', errorCode: 'overloaded' }]);
    expect(waiting).toMatchObject({ stage: 'waiting', attempt: 1, leaseExpiresAt: null });
    expect(waiting.nextAttemptAt).toBeGreaterThanOrEqual(world.clock.nowMs() + OPEN_LEAST_MS);
    const rung = world.published.length;
    await world.clock.advance(2 * OPEN_LEAST_MS);
    expect(world.published).toHaveLength(rung);
  });

  test('while somebody else probes', async () => {
    const failsLate = FAILURES_TO_OPEN + 2_000;
    const { worker, isOpen } = open((call) => {
      if (call === 1) return { lastsMs: OPEN_LEAST_MS + failsLate, fails: 'overloaded' };
      return call <= FAILURES_TO_OPEN + 1 ? DOWN : { lastsMs: 10_000 };
    });
    const late = await world.submit();
    const ended = worker.run(late);
    await world.clock.advance(0);
    await breakIt(worker);
    await world.clock.advance(OPEN_LEAST_MS);
    const probe = worker.run(await world.submit());
    await world.clock.advance(failsLate);
    expect(world.calls()).toBe(FAILURES_TO_OPEN + 2);
    expect(isOpen(late)).toBe(true);
    expect(await ended).toEqual({ handedBack: 'overloaded' });
    expect((await world.read(late)).attempts).toMatchObject([{ outcome: 'failed', errorCode: 'overloaded' }]);
    const rung = world.published.length;
    expect(await world.clock.until(probe)).toEqual({ finished: 'completed' });
    expect(isOpen(late)).toBe(false);
    expect(world.published).toHaveLength(rung);
  });
});

describe('a call', () => {
  test('that was answered says that its route is alive', async () => {
    const answered = FAILURES_TO_OPEN;
    const { worker, isOpen } = open((call) => (call === answered ? undefined : DOWN), { retry: NO_RETRY });
    const outcomes: unknown[] = [];
    const jobs: Job[] = [];
    for (let n = 0; n < 2 * FAILURES_TO_OPEN - 1; n++) {
      const job = await world.submit();
      jobs.push(job);
      outcomes.push(await worker.run(job));
    }
    expect(outcomes.filter((outcome) => 'finished' in (outcome as object))).toHaveLength(2 * FAILURES_TO_OPEN - 1);
    expect(isOpen(jobs[0] as Job)).toBe(false);
    await worker.run(await world.submit());
    expect(isOpen(jobs[0] as Job)).toBe(true);
  });

  test('that follows another one under the same lease says as much of it', async () => {
    const { worker, isOpen } = open(() => DOWN);
    const [first, second] = [await world.submit(), await world.submit()];
    void worker.run(first);
    void worker.run(second);
    await world.clock.advance(10_000);
    expect(world.calls()).toBe(FAILURES_TO_OPEN);
    expect(isOpen(first)).toBe(true);
  });

  test('of which nothing could be written says nothing', async () => {
    const { around, worker, isOpen } = open((call) => (call <= FAILURES_TO_OPEN ? DOWN : undefined));
    await breakIt(worker);
    await world.clock.advance(OPEN_LEAST_MS);
    const background: Background = {
      async start() {
        world.store.fail('update', 'refused');
        return { id: 'upstream' };
      },
      look: async () => ({ pending: true }),
      cancel: async () => ({}),
    };
    const provider = { ...(await world.providerFor('simulated')), background };
    const job = await world.submit('Hello.', { background: true });
    const failing = world.anotherWorker({ ...around, providerFor: async () => provider }).run(job);
    await expect(world.clock.until(failing)).rejects.toMatchObject({ code: 'result_unstorable' });
    expect(world.store.fired()).toBe(1);
    expect(isOpen(job)).toBe(true);
    expect(await worker.run(await world.submit())).toEqual({ finished: 'completed' });
  });

  test('that its owner cancels says nothing: the next one probes in its place', async () => {
    const { worker, isOpen } = open((call) => {
      if (call <= FAILURES_TO_OPEN) return DOWN;
      return call === FAILURES_TO_OPEN + 1 ? { lastsMs: 10_000 } : undefined;
    });
    await breakIt(worker);
    await world.clock.advance(OPEN_LEAST_MS);
    const job = await world.submit();
    const probe = worker.run(job);
    await world.clock.advance(1_000);
    await world.service.cancel(ADA, job.id);
    expect(await world.clock.until(probe)).toEqual({ finished: 'cancelled' });
    expect(world.calls()).toBe(FAILURES_TO_OPEN + 1);
    expect(isOpen(job)).toBe(true);
    expect(await worker.run(await world.submit())).toEqual({ finished: 'completed' });
    expect(isOpen(job)).toBe(false);
  });

  test('that its owner cancels has used what its model may be asked in a minute', async () => {
    const { worker } = open((call) => (call === 1 ? { lastsMs: 10_000 } : undefined), { perMinute: 1 });
    const job = await world.submit();
    const running = worker.run(job);
    await world.clock.advance(1_000);
    await world.service.cancel(ADA, job.id);
    expect(await world.clock.until(running)).toEqual({ finished: 'cancelled' });
    expect(await worker.run(await world.submit())).toEqual({ refused: 'deferred' });
    expect(world.calls()).toBe(1);
  });

  test.each(['auth', 'network'] as const)('that could not be made (%s) has not', async (code) => {
    const { around, worker } = open(() => undefined, { perMinute: 1, retry: NO_RETRY });
    const providerFor = () => Promise.reject(new ServiceError(code, 'by the test'));
    const job = await world.submit();
    expect(await world.anotherWorker({ ...around, providerFor }).run(job)).toEqual({ finished: 'failed' });
    expect(await world.read(job)).toMatchObject({ error: { code }, attempts: [{ calls: 0 }] });
    expect(await worker.run(await world.submit())).toEqual({ finished: 'completed' });
  });

  test('that its provider took over says that its route is alive, and is one that was made', async () => {
    const { around, worker, isOpen } = open((call) => (call <= FAILURES_TO_OPEN ? DOWN : undefined), {
      perMinute: FAILURES_TO_OPEN + 1,
    });
    await breakIt(worker);
    await world.clock.advance(OPEN_LEAST_MS);
    const background: Background = {
      start: async () => ({ id: 'upstream' }),
      look: async () => ({ pending: true }),
      cancel: async () => ({}),
    };
    const provider = { ...(await world.providerFor('simulated')), background };
    const job = await world.submit('Hello.', { background: true });
    const leaver = world.anotherWorker({ ...around, providerFor: async () => provider });
    const left = leaver.run(job);
    await world.clock.advance(1_000);
    await world.clock.until(leaver.drain(0));
    expect(await left).toEqual({ left: true });
    expect(isOpen(job)).toBe(false);
    expect(await worker.run(await world.submit())).toEqual({ refused: 'deferred' });
  });
});

describe('a limit that is used up after a pause', () => {
  const limited = () => open((call) => (call === 1 ? { fails: 'rate_limited' } : undefined), { perMinute: 1 });

  /** Its run, and how long its job waits then. */
  async function paused(worker: CoreWorld['worker'], job: Job) {
    const rung = world.published.length;
    expect(await world.clock.until(worker.run(job))).toEqual({ handedBack: 'deferred' });
    const { nextAttemptAt = 0, attempts } = await world.read(job);
    expect(attempts.map(({ outcome, calls }) => [outcome, calls])).toEqual([
      ['failed', 1],
      ['released', 0],
    ]);
    return { waitMs: nextAttemptAt - world.clock.nowMs(), rings: world.published.length - rung };
  }

  test('sends its job away for that long', async () => {
    const { worker } = limited();
    const { waitMs, rings } = await paused(worker, await world.submit());
    expect(waitMs).toBeGreaterThan(50_000);
    expect(rings).toBe(0);
  });

  test.each([
    ['is out', () => ({ isOut: true as const })],
    ['it leaves alone', () => ({ retryAt: world.clock.nowMs() + 600_000 })],
  ])('also where it has another route that %s', async (_, triedThere) => {
    const { worker } = limited();
    const job = await world.submit();
    const { revision = '' } = (await world.store.get(job)) ?? {};
    await world.store.update(job, revision, { fallbacks: [OTHER], tries: [{}, triedThere()] });
    const { waitMs, rings } = await paused(worker, job);
    expect(waitMs).toBeGreaterThan(50_000);
    expect(rings).toBe(0);
  });
});
