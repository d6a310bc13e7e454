/** How the client waits, whatever servers and networks do: it ends when it should, and asks no sooner than it may. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type LlmJobsError, newJobId } from '../../shared/client/client.ts';
import {
  checkRequests,
  flappingVisibility,
  isOpen,
  runUntil,
  type ScriptedAnswer,
  scriptedFetch,
} from '../support/scripted-fetch.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const JOB = newJobId();
const HORIZON_MS = 3_000_000;

type Answer = ScriptedAnswer & {
  /** Is it the end: of the job, or by an error that cannot pass? */
  isEnd?: 'job' | 'refusal';
  isFailure: boolean;
  /** What its headers say, counted from them; what its body says, counted from its end. */
  retryAfterMs?: number;
  pollAfterMs?: number;
};

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const view = { success: true, job_id: JOB, job_type: 'general_llm_request', status: 'processing', is_complete: false };
const ended = { ...view, status: 'completed', is_complete: true, result_data: 1 };

/**
 * Also longer than anybody waits for an answer, though not at the very instant when the client gives up: who was first then
 * cannot be told. One that comes again and again is heard some time.
 */
const slow = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 4_499 }).map((n) => n * 10 + 1),
);
const quick = fc.integer({ min: 0, max: 9_000 });
/** In seconds, or as a date, which is cut to whole seconds. */
const retryAfter = fc.option(fc.record({ seconds: fc.integer({ min: 0, max: 60 }), isDate: fc.boolean() }), {
  nil: undefined,
});

function answer(status: number, text: unknown, more: Partial<Answer> = {}): fc.Arbitrary<Answer> {
  return fc
    .record({ latencyMs: more.isEnd ? quick : slow, hint: retryAfter, etag: fc.boolean() })
    .map(({ latencyMs, hint, etag }) => ({
      ...{ latencyMs, status, ending: 'close' as const, isFailure: true },
      pieces: [{ afterMs: 0, bytes: bytes(text) }],
      headers: {
        ...(etag && { ETag: 'W/"1.1"' }),
        // The date is set when it is known when the answer is given.
        ...(hint && { 'Retry-After': hint.isDate ? `in ${hint.seconds}` : String(hint.seconds) }),
      },
      ...(hint && { retryAfterMs: hint.seconds * 1_000 }),
      ...more,
    }));
}

const sentence = (code: string) => ({ success: false, error: 'No.', code });
const pending = fc.tuple(answer(200, ''), fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined })).map(
  ([one, pollAfterMs]): Answer => ({
    ...one,
    pieces: [{ afterMs: 5, bytes: bytes({ ...view, poll_after_ms: pollAfterMs }) }],
    isFailure: false,
    ...(pollAfterMs !== undefined && { pollAfterMs }),
  }),
);
const passing: fc.Arbitrary<Answer> = fc.oneof(
  ...[500, 502, 503, 429, 408].map((status) => answer(status, sentence('overloaded'))),
  ...['<html>', '', 'null', '{"a":1}', '[]', '"x"', '{"success":true,"job_id":'].map((text) => answer(200, text)),
  answer(200, { ...ended, job_id: newJobId() }),
  answer(503, '<html>', { ending: 'silence' }),
  answer(200, '{"success":', { ending: 'silence' }),
  answer(200, '{"success":', { ending: 'break' }),
  answer(0, '', { ending: 'unreachable', headers: {} }).map(({ retryAfterMs, ...one }) => one),
  answer(200, '', { latencyMs: Infinity }).map(({ retryAfterMs, ...one }) => one),
  answer(304, '', { isFailure: false }),
  pending,
  pending,
);
const ends: fc.Arbitrary<Answer> = fc.oneof(
  { weight: 4, arbitrary: answer(200, ended, { isEnd: 'job' }) },
  ...[400, 401, 403, 404].map((status) => ({
    weight: 1,
    arbitrary: answer(status, sentence(`http_${status}`), { isEnd: 'refusal' as const }),
  })),
);

const run = fc.record({
  script: fc.array(passing, { maxLength: 7 }),
  /** What there is in the end, again and again. */
  last: fc.oneof(ends, ends, passing),
  flips: fc
    .array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 6 })
    .map((all) => [...new Set(all)].sort((a, b) => a - b)),
  abortMs: fc.option(fc.integer({ min: 0, max: 120_000 }), { nil: undefined }),
  timeoutMs: fc.oneof(fc.integer({ min: 1, max: 200_000 }), fc.constant(Infinity)),
  isShown: fc.boolean(),
});

test('a wait ends iff the job ends, the time is up, the signal fires or an error cannot pass, and asks when it may', async () => {
  const ways = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(run, async ({ script, last, flips, abortMs, timeoutMs, isShown }) => {
      const isShownInTheEnd = flips.length % 2 === 0;
      fc.pre(abortMs !== undefined || timeoutMs < Infinity || (last.isEnd !== undefined && isShownInTheEnd));
      vi.clearAllTimers();
      const startMs = performance.now();
      const since = (ms: number) => ms - startMs;
      const answers = [...script];
      const { fetch, requests } = scriptedFetch(() => dated(answers.shift() ?? last));
      const page = flappingVisibility(flips);
      const leaving = new AbortController();
      const abortTimer = abortMs === undefined ? undefined : setTimeout(() => leaving.abort(), abortMs);
      const jobs = createClient({ baseUrl: 'http://jobs.test', fetch, visibility: page.source });

      let outcome: { how: string; error?: LlmJobsError; atMs: number } | undefined;
      const options = { signal: leaving.signal, timeoutMs, ...(isShown && { onUpdate: () => {} }) };
      jobs.wait(JOB, options).then(
        (job) => {
          outcome = { how: job.status, atMs: since(performance.now()) };
        },
        (error) => {
          outcome = { how: error.code, error, atMs: since(performance.now()) };
        },
      );
      await runUntil(() => outcome !== undefined, startMs + HORIZON_MS);
      const atMs = outcome?.atMs ?? Number.NaN;

      // Why it may end, and when.
      const told = requests.find(({ answer, endedMs }) => answer.isEnd && endedMs !== undefined);
      const reasons = [
        ...(abortMs === undefined ? [] : [{ how: leaving.signal.reason?.code, ms: abortMs }]),
        ...(timeoutMs === Infinity ? [] : [{ how: 'wait_timeout', ms: timeoutMs }]),
        ...(told
          ? [
              {
                how: told.answer.isEnd === 'job' ? 'completed' : `http_${told.answer.status}`,
                ms: since(told.endedMs ?? 0),
              },
            ]
          : []),
      ];
      const firstMs = Math.min(...reasons.map(({ ms }) => ms));
      expect(reasons.map(({ ms }) => ms)).toContain(atMs);
      expect(atMs).toBe(firstMs);
      expect(reasons.filter(({ ms }) => ms === firstMs).map(({ how }) => how)).toContain(outcome?.how);
      ways.set(String(outcome?.how), (ways.get(String(outcome?.how)) ?? 0) + 1);

      // Nothing is left.
      expect(requests.filter(isOpen)).toEqual([]);
      expect(page.listeners()).toBe(0);
      page.stop();
      clearTimeout(abortTimer);
      expect(vi.getTimerCount()).toBe(0);

      checkRequests(
        requests,
        flips.map((flip) => startMs + flip),
        startMs + atMs,
      );

      let failures = 0;
      for (const [index, request] of requests.entries()) {
        const before = requests[index - 1];
        if (!before) continue;
        const startedMs = since(request.startedMs);
        const beforeGoneMs = since(before.endedMs ?? before.abortedMs ?? Infinity);
        const { answer, answeredMs, endedMs } = before;
        const isWhole = endedMs !== undefined && answer.ending === 'close';
        const hintedMs = Math.max(
          isWhole && answer.pollAfterMs !== undefined ? since(endedMs) + answer.pollAfterMs : 0,
          answeredMs !== undefined && !(isWhole && answer.pollAfterMs !== undefined)
            ? since(answeredMs) + (answer.retryAfterMs ?? 0)
            : 0,
        );
        expect(startedMs).toBeGreaterThanOrEqual(hintedMs);
        // That the page was hidden is no failure.
        if (before.abortedMs !== undefined && flips.includes(beforeGoneMs)) continue;
        const isFailure = answer.isFailure || !isWhole;
        const backoffMs = isFailure ? Math.min(15_000, 500 * 2 ** failures) : 0;
        failures = isFailure ? failures + 1 : 0;
        expect(startedMs).toBeGreaterThanOrEqual(beforeGoneMs + backoffMs / 2);
        // Where nobody went away it is there within a second of when it may be.
        if (flips.some((flip) => flip >= since(before.startedMs) && flip <= startedMs)) continue;
        expect(startedMs).toBeLessThanOrEqual(Math.max(hintedMs, beforeGoneMs + Math.max(backoffMs, 1_000)));
      }
    }),
    { numRuns: 250 },
  );
  // Each way was gone.
  expect([...ways.keys()].sort()).toEqual([
    '20',
    'completed',
    'http_400',
    'http_401',
    'http_403',
    'http_404',
    'wait_timeout',
  ]);
});

/** An answer whose date is in whole seconds, and so long after its own instant. */
function dated(answer: Answer): Answer {
  const [, seconds] = /^in (\d+)$/.exec(answer.headers['Retry-After'] ?? '') ?? [];
  if (seconds === undefined || answer.latencyMs === Infinity) return answer;
  const atMs = Date.now() + answer.latencyMs;
  const untilMs = Math.ceil(atMs / 1_000 + Number(seconds)) * 1_000;
  const headers = { ...answer.headers, 'Retry-After': new Date(untilMs).toUTCString() };
  return { ...answer, headers, retryAfterMs: untilMs - atMs };
}
