/** The breaker of a route, what providers ask, and limits: what one process knows of routes. */
import { describe, expect, test } from 'vitest';
import { FAILURES_TO_OPEN, OPEN_LEAST_MS, OPEN_MOST_MS } from '../../shared/core/breaker.ts';
import { type FailureCode, ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { type Pass, routing } from '../../shared/core/routing.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const MODEL = { id: crypto.randomUUID(), name: 'A', provider: 'p', model: 'a' };
const OTHER = { ...MODEL, name: 'B', model: 'b' };

function world(limits?: Parameters<typeof routing>[0]['limits'], scriptedProvider?: string) {
  const clock = virtualClock();
  const lines: [string, unknown][] = [];
  const routes = routing({
    clock,
    log: (_, event, fields) => void lines.push([event, fields]),
    limits,
    scriptedProvider,
  });
  const job = (id: string, over: Partial<Job> = {}) => sampleJob({ id, model: MODEL, ...over });

  async function pass(of: Job = job('x'), order = [0]): Promise<Pass> {
    const taken = await routes.pass(of, order);
    if (!('pass' in taken)) throw new Error(`it may be called in ${taken.waitMs} ms`);
    return taken.pass;
  }
  const waitMs = async (of: Job = job('x'), order = [0]): Promise<number> => {
    const taken = await routes.pass(of, order);
    if ('waitMs' in taken) return taken.waitMs;
    taken.pass.end('unused');
    return 0;
  };
  async function fail(times: number, code: FailureCode = 'overloaded', of?: Job): Promise<void> {
    for (let n = 0; n < times; n++) (await pass(of ?? job(`job-${n % 2}`))).end(new ServiceError(code, 'by the test'));
  }
  return { clock, lines, routes, job, pass, waitMs, fail };
}

describe('a breaker', () => {
  test.each<FailureCode>(['overloaded', 'network', 'timeout', 'provider_error', 'attempt_timeout', 'idle_timeout'])(
    'opens after five failures in a row (%s), for 30 s',
    async (code) => {
      const { fail, waitMs, clock, lines, pass } = world();
      await fail(FAILURES_TO_OPEN - 1, code);
      expect(await waitMs()).toBe(0);
      await fail(1, code);
      expect(await waitMs()).toBe(OPEN_LEAST_MS);
      await clock.advance(OPEN_LEAST_MS - 1);
      expect(await waitMs()).toBe(1);
      await clock.advance(1);
      (await pass()).end('answered');
      expect(await waitMs()).toBe(0);
      expect(lines).toEqual([
        ['breaker-opened', { route: 'p/a' }],
        ['breaker-closed', { route: 'p/a' }],
      ]);
    },
  );

  test.each<FailureCode>([
    'rate_limited',
    'quota_exhausted',
    'auth',
    'content_policy',
    'schema_violation',
    'internal_error',
  ])('is not opened by %s', async (code) => {
    const { fail, waitMs } = world();
    await fail(20, code);
    expect(await waitMs()).toBe(0);
  });

  test('is not opened by the failures of one job, nor by failures with answers between them', async () => {
    const { fail, waitMs, job, pass } = world();
    await fail(20, 'overloaded', job('unlucky'));
    expect(await waitMs()).toBe(0);
    (await pass()).end('answered');
    for (let n = 0; n < 5; n++) {
      await fail(4);
      (await pass()).end('answered');
    }
    expect(await waitMs()).toBe(0);
  });

  test('hears nothing of a call that was not made, or was broken off', async () => {
    const { fail, waitMs, pass } = world();
    await fail(FAILURES_TO_OPEN - 1);
    for (const nothing of ['unused', 'stopped'] as const) (await pass()).end(nothing);
    await fail(1);
    expect(await waitMs()).toBe(OPEN_LEAST_MS);
  });

  test('is not opened by jobs that give their calls no time', async () => {
    const { fail, waitMs, job } = world();
    const limits = { ...DEFAULT_LIMITS, attemptTimeoutMs: 1_000 };
    for (let n = 0; n < 20; n++) await fail(1, 'attempt_timeout', job(`hasty-${n}`, { limits }));
    expect(await waitMs()).toBe(0);
  });

  test('lets one probe through at a time, and is open twice as long after each that fails, up to five minutes', async () => {
    const { fail, waitMs, clock, pass, lines } = world();
    await fail(FAILURES_TO_OPEN);
    let openMs = OPEN_LEAST_MS;
    for (let probes = 0; probes < 6; probes++) {
      await clock.advance(openMs);
      const probe = await pass();
      for (let n = 0; n < 10; n++) expect(await waitMs()).toBeGreaterThan(2_000);
      await clock.advance(20_000);
      expect(await waitMs()).toBeGreaterThan(0);
      probe.end(new ServiceError('timeout', 'by the test'));
      openMs = Math.min(openMs * 2, OPEN_MOST_MS);
      expect(await waitMs()).toBe(openMs);
    }
    await clock.advance(openMs);
    const broken = await pass();
    broken.end('unused');
    const [probe] = [await pass()];
    probe.end(new ServiceError('rate_limited', 'by the test'));
    expect(await waitMs()).toBe(0);
    expect(lines.map(([event]) => event)).toEqual(['breaker-opened', 'breaker-closed']);
  });

  test('hears nothing of the calls that were under way when it opened, but an answer', async () => {
    const { fail, waitMs, pass } = world();
    const [failing, answered] = [await pass(), await pass()];
    await fail(FAILURES_TO_OPEN);
    failing.end(new ServiceError('overloaded', 'by the test'));
    expect(await waitMs()).toBe(OPEN_LEAST_MS);
    answered.end('answered');
    expect(await waitMs()).toBe(0);
  });

  test('hears of its probe alone, and of a probe that it forgot nothing more', async () => {
    const { fail, waitMs, pass, clock } = world();
    const failing = await pass();
    await fail(FAILURES_TO_OPEN);
    await clock.advance(OPEN_LEAST_MS);
    const forgotten = await pass();
    const probing = await waitMs();
    expect(probing).toBe(10_000);
    failing.end(new ServiceError('overloaded', 'by the test'));
    expect(await waitMs()).toBe(probing);
    await clock.advance(600_000);
    (await pass()).end(new ServiceError('overloaded', 'by the test'));
    expect(await waitMs()).toBe(2 * OPEN_LEAST_MS);
    forgotten.end('unused');
    expect(await waitMs()).toBe(2 * OPEN_LEAST_MS);
  });

  test('forgets a probe of which nobody hears', async () => {
    const { fail, waitMs, clock, pass } = world();
    await fail(FAILURES_TO_OPEN);
    await clock.advance(OPEN_LEAST_MS);
    await pass();
    await clock.advance(599_000);
    expect(await waitMs()).toBeGreaterThan(0);
    await clock.advance(1_000);
    expect(await waitMs()).toBe(0);
  });

  test('is of one route: the next one in the order is taken', async () => {
    const { fail, job, pass, waitMs } = world();
    const both = job('both', { fallbacks: [{ model: OTHER }] });
    await fail(FAILURES_TO_OPEN);
    expect((await pass(both, [0, 1])).route).toBe(1);
    expect((await pass(both, [1, 0])).route).toBe(1);
    expect(await waitMs(both, [0])).toBe(OPEN_LEAST_MS);
  });
});

describe('what a provider asked', () => {
  test.each<FailureCode>(['rate_limited', 'overloaded'])('with %s holds for everybody', async (code) => {
    const { pass, waitMs, routes, clock } = world();
    (await pass()).end(new ServiceError(code, 'by the test', { retryAfterMs: 7_000 }));
    expect(await waitMs()).toBe(7_000);
    expect(routes.closedMs({ model: MODEL })).toBe(7_000);
    expect(routes.closedMs({ model: OTHER })).toBe(0);
    await clock.advance(7_000);
    expect(await waitMs()).toBe(0);
  });

  test('is not taken back by who asks for less, or was answered, later', async () => {
    const { pass, waitMs } = world();
    const [long, short, answered] = [await pass(), await pass(), await pass()];
    long.end(new ServiceError('rate_limited', 'by the test', { retryAfterMs: 7_000 }));
    short.end(new ServiceError('rate_limited', 'by the test', { retryAfterMs: 2_000 }));
    answered.end('answered');
    expect(await waitMs()).toBe(7_000);
  });

  test('or how its calls fail, says nothing where it fails as it is told to', async () => {
    const { fail, pass, waitMs } = world(undefined, MODEL.provider);
    await fail(20);
    (await pass()).end(new ServiceError('rate_limited', 'by the test', { retryAfterMs: 7_000 }));
    expect(await waitMs()).toBe(0);
  });

  test('is not more than five minutes for others, and nothing with a quota', async () => {
    const { pass, waitMs } = world();
    (await pass()).end(new ServiceError('quota_exhausted', 'by the test', { retryAfterMs: 7_000 }));
    expect(await waitMs()).toBe(0);
    (await pass()).end(new ServiceError('rate_limited', 'by the test', { retryAfterMs: 86_400_000 }));
    expect(await waitMs()).toBe(300_000);
  });
});

describe('limits of a model', () => {
  test('are taken for what a call is expected to use, and hold it back', async () => {
    const taken: unknown[] = [];
    const learnt: unknown[] = [];
    const given: unknown[] = [];
    let answer = 0;
    const { pass, waitMs, job, routes, fail, clock } = world({
      take: async ({ model }, tokens) => {
        taken.push([model, tokens]);
        const waitMs = model === 'a' ? answer : 0;
        return waitMs > 0 ? { waitMs } : { giveBack: async () => void given.push(model) };
      },
      learn: ({ model }, limits) => void learnt.push([model, limits]),
    });
    const callEstimate = { inputTokens: 70, outputTokens: 30, nanoUsd: null };
    const both = job('both', { callEstimate, fallbacks: [{ model: OTHER }] });
    expect((await pass(both)).route).toBe(0);
    answer = 1_234;
    expect(await waitMs(both)).toBe(1_234);
    expect((await pass(both, [0, 1])).route).toBe(1);
    expect(taken).toEqual([
      ['a', 100],
      ['a', 100],
      ['a', 100],
      ['b', 0],
    ]);
    routes.learn({ model: MODEL }, { requests: { remaining: 0, resetMs: 5 } });
    expect(learnt).toEqual([['a', { requests: { remaining: 0, resetMs: 5 } }]]);
    // Only a call that was not made is given back.
    for (const outcome of ['answered', 'stopped', new ServiceError('network', 'by the test')] as const)
      (await pass(both, [1])).end(outcome);
    expect(given).toEqual([]);
    (await pass(both, [1])).end('unused');
    expect(given).toEqual(['b']);
    // A probe that they hold back is none.
    answer = 0;
    await fail(FAILURES_TO_OPEN);
    await clock.advance(OPEN_LEAST_MS);
    answer = 1_234;
    expect(await waitMs()).toBe(1_234);
    expect(await waitMs()).toBe(1_234);
  });
});
