/** P01–P03: providers that refuse, fail and recover, in virtual time. */
import { APIError } from 'openai';
import { describe, expect, test } from 'vitest';
import { type FailureCode, ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { DEFAULT_RETRY, FAILURE_RULES, nextTry } from '../../shared/core/retry.ts';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import { classifyGeminiError } from '../../shared/llm/providers/gemini-errors.ts';
import { classifyOpenaiError } from '../../shared/llm/providers/openai-errors.ts';
import { chance } from '../simulation/random.ts';
import { answer, type ProviderCall } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

const HOUR_MS = 3_600_000;
const SLOW_DOWN = { error: { message: 'Slow down.', code: 'rate_limit_exceeded' } };

/** A 429 as the vendor's SDK throws it and we classify it. */
const withHeaders =
  (headers: (nowMs: number) => Record<string, string>) =>
  (nowMs: number): ServiceError =>
    classifyOpenaiError(APIError.generate(429, SLOW_DOWN, undefined, new Headers(headers(nowMs))), undefined, nowMs);
const RETRY_INFO = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.4s' };
const LIMIT_HEADERS = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '7s' };

const FORMS: [name: string, refusal: (nowMs: number) => ServiceError, askedMs: number][] = [
  ['of 7 seconds', withHeaders(() => ({ 'retry-after': '7' })), 7_000],
  ['of 1.5 seconds', withHeaders(() => ({ 'retry-after': '1.5' })), 1_500],
  ['as a date', withHeaders((nowMs) => ({ 'retry-after': new Date(nowMs + 20_000).toUTCString() })), 20_000],
  ['as a date that is past', withHeaders((nowMs) => ({ 'retry-after': new Date(nowMs - 20_000).toUTCString() })), 0],
  ['in milliseconds', withHeaders(() => ({ 'retry-after-ms': '1250', 'retry-after': '1' })), 1_250],
  ["as Gemini's RetryInfo", () => classifyGeminiError({ status: 429, errorDetails: [RETRY_INFO] }), 34_400],
  ['of 0', withHeaders(() => ({ 'retry-after': '0' })), 0],
  ['of -5', withHeaders(() => ({ 'retry-after': '-5' })), 0],
  ['of an hour', withHeaders(() => ({ 'retry-after': '3600' })), HOUR_MS],
  ['that is garbage', withHeaders(() => ({ 'retry-after': 'soon', 'retry-after-ms': 'x' })), 0],
  ['that is absent', withHeaders(() => ({})), 0],
  ['that is absent, where headers say when a limit is full again', withHeaders(() => LIMIT_HEADERS), 7_000],
];

export function providerScenarios(open: Open): void {
  for (const [name, refusal, askedMs] of FORMS) {
    scenario(
      open,
      `P01 a Retry-After ${name}: the next call is not earlier, and no attempt is used up`,
      async (world) => {
        world.provider.answerWith(failingFirst(1, () => refusal(world.clock.nowMs())));
        const job = await world.submit();
        const outcome = await world.deliver(job);
        if (askedMs > DEFAULT_RETRY.waitInPlaceMostMs) await handedBack(world, job, outcome, askedMs);
        else expect(outcome).toEqual({ finished: 'completed' });
        const [first, second] = world.callsOf(job);
        const waitedMs = (second?.atMs ?? 0) - (first?.atMs ?? 0);
        expect(waitedMs).toBeGreaterThanOrEqual(askedMs);
        // On top of it no more than the jitter of a first refusal.
        expect(waitedMs).toBeLessThanOrEqual(askedMs + 1_001);
        const ended = await world.read(job);
        expect(ended).toMatchObject({
          ...{ state: 'completed', refusals: 1 },
          attempts: [
            { outcome: 'failed', errorCode: 'rate_limited', calls: 1 },
            { outcome: 'completed', calls: 1 },
          ],
        });
        expect(ended).not.toHaveProperty('failures');
      },
    );
  }

  scenario(
    open,
    'P01 more refusals than there are attempts: all are waited, and every attempt is left',
    async (world) => {
      const patient = DEFAULT_RETRY.pausesMs.length;
      world.provider.answerWith((call) => {
        const code = call.nth <= 10 ? 'rate_limited' : 'overloaded';
        return failingFirst(
          10 + patient,
          () => new ServiceError(code, 'failed by the test', { retryAfterMs: 100 }),
        )(call);
      });
      const job = await world.submit();
      await world.deliver(job);
      while ((await world.read(job)).state === 'processing') {
        await world.makeDue(job);
        await world.deliver(job);
      }
      expect(await world.read(job)).toMatchObject({ state: 'completed', refusals: 10, failures: patient });
      expect(world.callsOf(job)).toHaveLength(11 + patient);
      for (const [before, call] of world.callsOf(job).slice(1).entries()) {
        expect(call.atMs - (world.callsOf(job)[before]?.atMs ?? 0)).toBeGreaterThanOrEqual(100);
      }
    },
  );

  scenario(open, "P01 a Retry-After beyond the job's timeout: failed as rate_limited at once", async (world) => {
    const ask = withHeaders(() => ({ 'retry-after': '3600' }));
    world.provider.answerWith(failingFirst(1, () => ask(world.clock.nowMs())));
    const job = await world.submit({ limits: { timeoutMs: HOUR_MS } });
    const startedMs = world.clock.monotonicMs();
    expect(await world.deliver(job)).toEqual({ finished: 'failed' });
    expect(world.clock.monotonicMs()).toBe(startedMs);
    expect(await world.read(job)).toMatchObject({ error: { code: 'rate_limited' }, attempts: [{ calls: 1 }] });
    expect(world.callsOf(job)).toHaveLength(1);
  });

  const hopeless = Object.entries(FAILURE_RULES).filter(([, { sameRoute }]) => sameRoute === 'never');
  describe('P02 a failure that the same call would meet again ends the job after one call, as its own class', () => {
    const codes = [
      'quota_exhausted',
      'auth',
      'invalid_request',
      'model_unavailable',
      'content_policy',
      'context_overflow',
    ];
    test('the policy knows them as such', () => {
      expect(hopeless.map(([code]) => code)).toEqual(expect.arrayContaining(codes));
    });
    for (const code of codes as FailureCode[]) {
      scenario(open, `P02 ${code}`, async (world) => {
        world.provider.answerWith(failingFirst(10, () => new ServiceError(code, 'failed by the test')));
        const job = await world.submit();
        expect(await world.deliver(job)).toEqual({ finished: 'failed' });
        expect(await world.read(job)).toMatchObject({ error: { code }, attempts: [{ errorCode: code, calls: 1 }] });
        expect(world.callsOf(job)).toHaveLength(1);
      });
    }
  });

  for (const failures of [1, 2, 3, 4, 5]) {
    const ends = failures <= DEFAULT_RETRY.pausesMs.length ? 'completed' : 'failed';
    scenario(
      open,
      `P03 a provider that is overloaded ${failures} times: back-off within its caps, then ${ends}`,
      async (world) => {
        world.provider.answerWith(failingFirst(failures, () => new ServiceError('overloaded', 'failed by the test')));
        const job = await world.submit();
        expect(await world.deliver(job)).toEqual({ finished: ends });
        const calls = world.callsOf(job);
        expect(calls).toHaveLength(Math.min(failures, DEFAULT_RETRY.pausesMs.length) + 1);
        const pauses = calls.slice(1).map(({ atMs }, index) => atMs - (calls[index]?.atMs ?? 0));
        for (const [index, pauseMs] of pauses.entries()) {
          expect(pauseMs).toBeLessThanOrEqual((DEFAULT_RETRY.pausesMs[index] ?? 0) + 1);
        }
        expect(await world.read(job)).toMatchObject({ attempt: calls.length, failures: pauses.length });
      },
    );
  }

  test.each([0, 1, 2, 3])(
    'P03 a thousand jobs that failed together, %i times before: their next calls are spread',
    (failures) => {
      const BUCKETS = 20;
      const JOBS = 1_000;
      const capMs = DEFAULT_RETRY.pausesMs[failures] ?? 0;
      const random = chance(42).next;
      const buckets = Array<number>(BUCKETS).fill(0);
      for (let job = 0; job < JOBS; job++) {
        const next = nextTry(
          DEFAULT_RETRY,
          { code: 'overloaded', retryAfterMs: undefined },
          { failures, refusals: 0, repairs: 0, repairsMost: 0 },
          random(),
        );
        if (!next.again) throw new Error('it must be tried again');
        expect(next.pauseMs).toBeGreaterThanOrEqual(0);
        expect(next.pauseMs).toBeLessThanOrEqual(capMs);
        const bucket = Math.min(BUCKETS - 1, Math.floor((next.pauseMs / capMs) * BUCKETS));
        buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      }
      expect(Math.max(...buckets)).toBeLessThanOrEqual((3 * JOBS) / BUCKETS);
      expect(Math.min(...buckets)).toBeGreaterThan(0);
    },
  );
}

/** The first calls about a job fail, the others are answered. */
function failingFirst(times: number, failure: () => ServiceError) {
  return async function* (call: ProviderCall) {
    if (call.nth <= times) throw failure();
    yield* answer(call);
  };
}

/** A wait that is too long for a worker's hand: the job says when it goes on, and is rung then. */
async function handedBack(world: World, job: Job, outcome: WorkOutcome, askedMs: number): Promise<void> {
  expect(outcome).toEqual({ handedBack: 'rate_limited' });
  const calledMs = world.callsOf(job)[0]?.atMs ?? 0;
  expect(world.clock.monotonicMs()).toBe(calledMs);
  const { nextAttemptAt = 0, ...waiting } = await world.read(job);
  expect(nextAttemptAt - world.clock.nowMs()).toBeGreaterThanOrEqual(askedMs);
  expect(waiting).toMatchObject({ state: 'processing', stage: 'waiting', leaseExpiresAt: null });
  await world.pass(askedMs - 1);
  expect(await world.main.run(job)).toEqual({ refused: 'not-due' });
  expect(await world.main.sweep()).toMatchObject({ rung: 0 });
  await world.makeDue(job);
  expect(await world.main.sweep()).toMatchObject({ rung: 1 });
  expect(await world.deliver(job)).toEqual({ finished: 'completed' });
}
