/** A client that polls exactly as it is told, on virtual time: what it costs, and how soon it sees the end. */
import { afterEach, describe, expect, test } from 'vitest';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { sleep } from '../../shared/core/ports.ts';
import { pollAfterMs } from '../../shared/core/progress.ts';
import { ADA, answer, type CoreWorld, coreWorld } from '../support/core-world.ts';

const MINUTE_MS = 60_000;
const FIXED_POLL_MS = 500;

let world: CoreWorld;
let tookMs = MINUTE_MS;
afterEach(() => world.close());

function open() {
  world = coreWorld(async function* (_, signal) {
    await sleep(world.clock, tookMs, signal);
    yield* answer();
  });
}

/** Runs jobs that take so long, and forgets them. */
async function learnFrom(durationsMs: number[]) {
  for (tookMs of durationsMs) await world.clock.until(world.run(await world.submit()));
}

/** Submits a job that takes so long, whose worker comes a moment later, and polls it to its end. */
async function poll(durationMs: number, claimedAfterMs = 0) {
  tookMs = durationMs;
  const job = await world.submit();
  const ran = sleep(world.clock, claimedAfterMs).then(() => world.run(job));
  const startedMs = world.clock.nowMs();
  const polled = await world.clock.until(pollAsTold(job));
  expect(await ran).toEqual({ finished: 'completed' });
  return { ...polled, fixedRequests: (polled.endedAt - startedMs) / FIXED_POLL_MS };
}

async function pollAsTold({ id }: Job) {
  for (let requests = 1; ; requests++) {
    const { job, nowMs } = await world.service.read(ADA, id);
    const endedAt = job.completedAt ?? 0;
    if (isTerminal(job.state)) return { requests, endedAt, lagMs: world.clock.nowMs() - endedAt };
    const pauseMs = pollAfterMs(job, nowMs) ?? 0;
    expect(pauseMs).toBeGreaterThanOrEqual(500);
    await sleep(world.clock, pauseMs);
  }
}

describe('when the usual duration was learned from jobs that ended,', () => {
  test.each([0, 130, 470, 990, 2_700])(
    'the end of a 60 s job, claimed after %i ms, is seen within 1 s, with a quarter of the requests of a fixed poll',
    async (claimedAfterMs) => {
      open();
      await learnFrom([MINUTE_MS, MINUTE_MS, MINUTE_MS]);
      const { requests, lagMs, fixedRequests } = await poll(MINUTE_MS, claimedAfterMs);
      expect(lagMs).toBeLessThanOrEqual(1_000);
      expect(requests).toBeLessThanOrEqual(fixedRequests / 4);
    },
  );

  test('one that takes a little more or less is seen within 1 s, too', async () => {
    open();
    await learnFrom([MINUTE_MS, MINUTE_MS, MINUTE_MS]);
    for (const share of [0.92, 0.95, 0.98, 1.02, 1.05, 1.08]) {
      const { requests, lagMs, fixedRequests } = await poll(MINUTE_MS * share, 300);
      expect([share, lagMs <= 1_000, requests <= fixedRequests / 3]).toEqual([share, true, true]);
    }
  });

  test('one that takes three times as long is seen within a few seconds, with fewer requests still', async () => {
    open();
    await learnFrom([MINUTE_MS, MINUTE_MS, MINUTE_MS]);
    const { requests, lagMs, fixedRequests } = await poll(3 * MINUTE_MS);
    expect(lagMs).toBeLessThanOrEqual(4_500);
    expect(requests).toBeLessThanOrEqual(fixedRequests / 4);
  });

  test('one that takes a third is seen within the longest pause', async () => {
    open();
    await learnFrom([MINUTE_MS, MINUTE_MS, MINUTE_MS]);
    const { requests, lagMs } = await poll(MINUTE_MS / 3);
    expect(lagMs).toBeLessThanOrEqual(3_000);
    expect(requests).toBeLessThanOrEqual(10);
  });
});

test('where nothing was learned, the end of a 60 s job is seen within the longest pause', async () => {
  open();
  const { requests, lagMs, fixedRequests } = await poll(MINUTE_MS);
  expect(lagMs).toBeLessThanOrEqual(3_000);
  expect(requests).toBeLessThanOrEqual(fixedRequests / 3);
});

test('a client that waits sees the end at once, with one request for each change and each full wait', async () => {
  open();
  tookMs = MINUTE_MS;
  const job = await world.submit();
  const ran = sleep(world.clock, 700).then(() => world.run(job));
  const waited = async () => {
    let leastVersion: number | undefined;
    for (let requests = 1; ; requests++) {
      const seen = await world.service.read(ADA, job.id, { waitMs: 55_000, leastVersion });
      leastVersion = seen.job.version;
      if (isTerminal(seen.job.state)) return { requests, lagMs: world.clock.nowMs() - (seen.job.completedAt ?? 0) };
    }
  };
  const { requests, lagMs } = await world.clock.until(waited());
  expect(await ran).toEqual({ finished: 'completed' });
  expect(lagMs).toBe(0);
  // To the claim, 55 s of the call, to the end.
  expect(requests).toBe(3);
});
