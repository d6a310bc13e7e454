/** What follows a failed attempt, where other jobs, breakers and limits have a say in it. */
import { afterEach, describe, expect, test } from 'vitest';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import { FAILURES_TO_OPEN, OPEN_LEAST_MS } from '../../shared/core/breaker.ts';
import { type FailureCode, ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmRequest } from '../../shared/core/llm.ts';
import { modelLimits } from '../../shared/core/model-limits.ts';
import { routing } from '../../shared/core/routing.ts';
import { routingGate } from '../../shared/core/routing-gate.ts';
import { jobService } from '../../shared/core/service.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { ADA, answer, type CoreWorld, coreWorld, NO_PROVIDERS } from '../support/core-world.ts';

const OWN = 'simulated';
const OTHER = 'gpt-4o';

let world: CoreWorld;
afterEach(() => world.close());

/** What becomes of each call, by its model: a failure, or an answer. */
let fate: (model: string, call: number) => [code: FailureCode, retryAfterMs?: number] | undefined;
let calls: { model: string; atMs: number }[];

function open(requestsPerMinute: ReadonlyMap<string, number> = new Map()) {
  calls = [];
  world = coreWorld(async function* ({ model }: LlmRequest, _, call) {
    calls.push({ model, atMs: world.clock.monotonicMs() });
    const failure = fate(model, call);
    if (failure) {
      const [code, retryAfterMs] = failure;
      throw new ServiceError(code, 'by the test', retryAfterMs === undefined ? {} : { retryAfterMs });
    }
    yield* answer();
  });
  const { clock, log } = world;
  const windowLimiter = memoryWindowLimiter({ clock });
  const limits = modelLimits({ clock, windowLimiter, requestsPerMinute, tokensPerMinute: new Map() });
  const routes = routing({ clock, log, limits });
  const gate = routingGate({ routing: routes, clock, random: () => 0 });
  const models = modelCatalog({ ...NO_PROVIDERS, clock, openaiApiKey: 'sk-test' });
  const service = jobService({ ...world, models, wakeShards: 1 });
  const ask = { jobType: 'general_llm_request', model: OWN, input: { prompt: 'Hello.' }, fallbacks: [OTHER] };
  return {
    ...{ routes, limits, gate },
    worker: world.anotherWorker({ routing: routes, gate }),
    submitWithFallback: async () => (await service.submit(ADA, ask)).job,
  };
}

const story = ({ attempts }: Job) =>
  attempts.map(({ outcome, errorCode, calls }) => [outcome, errorCode, calls] as const);

/** Jobs that pause for a second, 500 ms of it over, and then a breaker that opens by others. */
async function openWhilePausing(pausing: number, hasFallback = false) {
  fate = (_, call) => {
    if (call <= pausing) return ['rate_limited'];
    return call <= pausing + FAILURES_TO_OPEN ? ['overloaded'] : undefined;
  };
  const opened = open();
  const jobs = await Promise.all(
    Array.from({ length: pausing }, () => (hasFallback ? opened.submitWithFallback() : world.submit())),
  );
  const runs = Promise.all(jobs.map((job) => opened.worker.run(job)));
  await world.clock.advance(500);
  const others = await Promise.all(Array.from({ length: FAILURES_TO_OPEN }, () => world.submit()));
  for (const job of others) void opened.worker.run(job);
  await world.clock.advance(400);
  expect(world.lines.filter((line) => line.includes('breaker-opened'))).toHaveLength(1);
  expect(calls).toHaveLength(pausing + FAILURES_TO_OPEN);
  return { ...opened, jobs, runs };
}

describe('a breaker that opens while jobs pause', () => {
  test('is asked again: of 50 jobs none calls after its pause, and all complete later', async () => {
    const { jobs, runs, worker } = await openWhilePausing(50);
    await world.clock.advance(600);
    expect(calls).toHaveLength(50 + FAILURES_TO_OPEN);
    expect(await runs).toEqual(jobs.map(() => ({ handedBack: 'deferred' })));
    const job = await world.read(jobs[0] as Job);
    expect(story(job)).toEqual([
      ['failed', 'rate_limited', 1],
      ['released', 'deferred', 0],
    ]);
    expect(job).toMatchObject({ stage: 'waiting', leaseExpiresAt: null, refusals: 1 });
    await world.clock.advance(OPEN_LEAST_MS);
    for (const each of jobs) expect(await worker.run(each)).toEqual({ finished: 'completed' });
    expect(story(await world.read(jobs[0] as Job)).at(-1)).toEqual(['completed', undefined, 1]);
  });

  test('sends a job that has another route there at once', async () => {
    const { jobs, runs, worker } = await openWhilePausing(3, true);
    const rung = world.published.length;
    await world.clock.advance(600);
    expect(await runs).toEqual(jobs.map(() => ({ handedBack: 'deferred' })));
    expect(world.published.length - rung).toBe(3);
    for (const each of jobs) expect(await worker.run(each)).toEqual({ finished: 'completed' });
    expect(calls.slice(-3).map(({ model }) => model)).toEqual([OTHER, OTHER, OTHER]);
    expect(await world.read(jobs[0] as Job)).toMatchObject({ route: 1 });
  });

  test('and a stop at that instant gives the job back as a stop does', async () => {
    const { jobs, runs, worker } = await openWhilePausing(1);
    await world.clock.advance(99);
    await world.clock.until(worker.drain(0));
    expect(await runs).toEqual(jobs.map(() => ({ handedBack: 'drained' })));
  });
});

test('no job that waits holds the probe: it is for whoever can call now', async () => {
  // The first job's own route is half-open when its 20 s are over.
  fate = (_, call) => (call <= FAILURES_TO_OPEN ? ['overloaded', 20_000] : undefined);
  const { worker, routes } = open();
  const jobs = await Promise.all(Array.from({ length: FAILURES_TO_OPEN }, () => world.submit()));
  const runs = Promise.all(jobs.map((job) => worker.run(job)));
  await world.clock.advance(OPEN_LEAST_MS - 1);
  const later = await world.submit();
  const outcome = worker.run(later);
  await world.clock.advance(1);
  expect(await outcome).toEqual({ finished: 'completed' });
  expect(routes.isOpen({ model: later.model })).toBe(false);
  await world.clock.until(runs);
});

describe('a fallback whose limit is used up', () => {
  test('is no reason to wait longer than for the own route', async () => {
    fate = (_, call) => (call === 1 ? ['rate_limited', 10_000] : undefined);
    const { worker, limits, submitWithFallback } = open(new Map([[OTHER, 1]]));
    expect(await limits.take({ provider: 'openai', model: OTHER }, 1)).toHaveProperty('giveBack');
    const job = await submitWithFallback();
    expect(await world.clock.until(worker.run(job))).toEqual({ finished: 'completed' });
    expect(calls.map(({ model }) => model)).toEqual([OWN, OWN]);
    const [first, second] = calls;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeLessThanOrEqual(11_000);
  });

  test('is waited for where the own one is out', async () => {
    fate = (_, call) => (call === 1 ? ['auth'] : undefined);
    const { worker, limits, submitWithFallback } = open(new Map([[OTHER, 1]]));
    expect(await limits.take({ provider: 'openai', model: OTHER }, 1)).toHaveProperty('giveBack');
    const job = await submitWithFallback();
    expect(await worker.run(job)).toEqual({ handedBack: 'auth' });
    const { nextAttemptAt = 0, ...waiting } = await world.read(job);
    expect(waiting).toMatchObject({ route: 1, attempt: 1, stage: 'waiting' });
    expect(nextAttemptAt - world.clock.nowMs()).toBeGreaterThan(59_000);
    expect(nextAttemptAt - world.clock.nowMs()).toBeLessThanOrEqual(61_000);
    await world.clock.advance(61_001);
    expect(await worker.run(job)).toEqual({ finished: 'completed' });
  });
});

test('a claim that comes to nothing takes nothing of a limit', async () => {
  fate = () => undefined;
  const { worker, routes, gate } = open(new Map([[OWN, 1]]));
  const job = await world.submit();
  // Somebody cancels it after the gate has let it through.
  const store = {
    ...world.store,
    async update(...values: Parameters<typeof world.store.update>) {
      await world.service.cancel(ADA, job.id);
      return world.store.update(...values);
    },
  };
  const late = world.anotherWorker({ routing: routes, gate, store });
  expect(await world.clock.until(late.run(job))).toEqual({ refused: 'done' });
  expect(calls).toEqual([]);
  const next = await world.submit();
  expect(await worker.run(next)).toEqual({ finished: 'completed' });
});
