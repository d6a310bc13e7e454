/** Before a claim: which route is asked first, how long a job is put off, and on whose clock. */
import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { routing } from '../../shared/core/routing.ts';
import { routingGate } from '../../shared/core/routing-gate.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { virtualClock } from '../support/virtual-clock.ts';

/** The store's time is not this machine's. */
const STORE_AHEAD_MS = 900_000;
const model = (name: string) => ({ id: name, name, provider: 'p', model: name });
const ROUTES = { model: model('a'), fallbacks: [{ model: model('b') }, { model: model('c') }] };

function world(random = 0) {
  const clock = virtualClock();
  const routes = routing({ clock, log: () => {} });
  const gate = routingGate({ routing: routes, clock, random: () => random });
  const storeMs = () => clock.nowMs() + STORE_AHEAD_MS;
  const ask = (job: Job, stop?: AbortSignal) =>
    gate({ job, revision: '1', readAtMs: storeMs(), storedAtMs: job.createdAt }, {}, stop);

  /** Their providers ask for patience: as many milliseconds for each route, from the first one on. */
  async function busy(...waits: number[]): Promise<void> {
    for (const [route, retryAfterMs] of waits.entries()) {
      const taken = await routes.pass(sampleJob(ROUTES), [route]);
      if ('pass' in taken) taken.pass.end(new ServiceError('rate_limited', 'by the test', { retryAfterMs }));
    }
  }
  /** How long after its read a job is put off; how long that took is part of it. */
  async function putOffMs(over: Partial<Job> = {}): Promise<number | undefined> {
    const readAtMs = storeMs();
    const gated = await clock.until(ask(sampleJob({ ...ROUTES, ...over })));
    if (!('instead' in gated) || gated.instead.type !== 'defer') return undefined;
    return gated.instead.nextAttemptAt - readAtMs;
  }
  return { clock, ask, busy, putOffMs, storeMs };
}

test('the route on which the job is comes first, and then those after it', async () => {
  const { ask, busy } = world();
  expect(await ask(sampleJob({ ...ROUTES, route: 1 }))).toMatchObject({ pass: { route: 1 } });
  await busy(0, 9_000);
  expect(await ask(sampleJob({ ...ROUTES, route: 1 }))).toMatchObject({ pass: { route: 2 } });
  await busy(0, 0, 9_000);
  expect(await ask(sampleJob({ ...ROUTES, route: 1 }))).toMatchObject({ pass: { route: 0 } });
});

describe('a job is put off', () => {
  test('until the first of its routes may be called', async () => {
    const { busy, putOffMs } = world();
    await busy(9_000, 7_000, 8_000);
    expect(await putOffMs()).toBe(7_000);
  });

  test('or until it leaves one alone no longer, whichever is sooner', async () => {
    const { busy, putOffMs, storeMs } = world();
    await busy(9_000, 10, 10);
    const restsFor = (ms: number) => ({ retryAt: storeMs() + ms });
    expect(await putOffMs({ tries: [{}, restsFor(6_000), restsFor(5_000)] })).toBe(5_000);
    expect(await putOffMs({ tries: [{}, restsFor(60_000), restsFor(50_000)] })).toBe(9_000);
    expect(await putOffMs({ tries: [{}, restsFor(6_000), { ...restsFor(5_000), isOut: true }] })).toBe(6_000);
  });

  test('by the time of the store, and from the end of the wait in the worker on', async () => {
    const { busy, putOffMs, clock } = world();
    await busy(1_500, 1_500, 1_500);
    // Others are told to wait for longer meanwhile.
    clock.setTimer(() => void busy(0, 0, 0), 1_499);
    clock.setTimer(() => void busy(4_000, 4_000, 4_000), 1_500);
    const startedMs = clock.monotonicMs();
    const ms = await putOffMs();
    expect(clock.monotonicMs() - startedMs).toBe(1_500);
    expect(ms).toBe(5_500);
  });

  test('with others for a time that is longer the longer they wait, and of a second at least', async () => {
    const [long, short] = [world(1), world(1)];
    await long.busy(20_000, 20_000, 20_000);
    expect(await long.putOffMs()).toBe(30_000);
    await short.busy(1_500, 1_500, 1_500);
    short.clock.setTimer(() => void short.busy(600, 600, 600), 1_500);
    expect(await short.putOffMs()).toBe(1_500 + 600 + 1_000);
  });
});

test('who is told to stop while a job waits in it for a moment hands it on', async () => {
  const { ask, busy, clock } = world();
  await busy(1_500, 1_500, 1_500);
  const stop = new AbortController();
  const gated = ask(sampleJob(ROUTES), stop.signal);
  await clock.advance(500);
  stop.abort();
  expect(await gated).toEqual({ refused: 'draining' });
  expect(clock.monotonicMs()).toBe(500);
});
