/** How the client follows a job, whatever becomes of its connections: the text is always that of the job. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type JobEvent, newJobId } from '../../shared/client/client.ts';
import {
  checkRequests,
  flappingVisibility,
  isOpen,
  runUntil,
  scriptedFetch,
  settle,
} from '../support/scripted-fetch.ts';
import { type Connection, type StreamAnswer, streamModel } from '../support/stream-model.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const JOB = newJobId();
const HORIZON_MS = 3_000_000;
const SILENCE_MS = 45_000;

const viewOf = (isOver: boolean) => ({
  ...{ success: true, job_id: JOB, status: isOver ? 'completed' : 'processing', is_complete: isOver },
  ...(isOver ? { result_data: 'all of it' } : { poll_after_ms: 700 }),
});

function plain(status: number, body: unknown, more: Partial<StreamAnswer> = {}): StreamAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const pieces = [{ afterMs: 0, bytes: new TextEncoder().encode(text) }];
  return { latencyMs: 3, status, headers: { 'Content-Type': 'application/json' }, pieces, ending: 'close', ...more };
}

const refused = { success: false, error: 'No.', code: 'no' };
const sse = { 'Content-Type': 'text/event-stream; charset=utf-8' };
const busy = plain(503, refused, { headers: { 'Retry-After': '7' } });
const failures: StreamAnswer[] = [
  ...[busy, plain(429, refused, { headers: { 'Retry-After': '2' } }), plain(500, '<html>')],
  plain(0, '', { ending: 'unreachable' }),
  plain(200, '', { latencyMs: Infinity }),
  plain(503, '', { ending: 'silence' }),
  // No events, or none of ours.
  plain(200, '', { headers: sse }),
  plain(200, '', { headers: sse, ending: 'silence' }),
  plain(200, 'event: delta\nid: 5\ndata: {"te\n\n', { headers: sse }),
  plain(200, 'event: delta\nid: 5\ndata: null\n\n', { headers: sse }),
  plain(200, 'event: delta\ndata: {"text":"x"}\n\n', { headers: sse }),
  plain(200, `event: snapshot\nid: 5\ndata: ${JSON.stringify({ ...viewOf(false), job_id: newJobId() })}\n\n`, {
    headers: sse,
  }),
  plain(200, `event: done\nid: 5\ndata: ${JSON.stringify(viewOf(false))}\n\n`, { headers: sse }),
];
/** Nothing streams here. */
const unstreamed: StreamAnswer[] = [plain(200, '<html>'), plain(204, ''), plain(200, { hello: 1 })];

const connection: fc.Arbitrary<Connection> = fc.record({
  latencyMs: fc.integer({ min: 0, max: 9_000 }),
  more: fc.integer({ min: 0, max: 4 }),
  isForgotten: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
  retryMs: fc.option(fc.integer({ min: 0, max: 5_000 }), { nil: undefined }),
  pieceBytes: fc.integer({ min: 7, max: 400 }),
  gapMs: fc.integer({ min: 0, max: 800 }),
  lostBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 120 })),
  ending: fc.constantFrom('close', 'break', 'silence'),
});
const run = fc.record({
  attempts: fc.array(fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 3 }), { maxLength: 5 }), {
    ...{ minLength: 1, maxLength: 3 },
  }),
  script: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: connection },
      { weight: 2, arbitrary: fc.constantFrom(...failures) },
      { weight: 1, arbitrary: fc.constantFrom(...unstreamed) },
    ),
    { maxLength: 8 },
  ),
  last: fc.oneof({ weight: 2, arbitrary: connection }, fc.constant(plain(404, { ...refused, code: 'job_not_found' }))),
  flips: fc
    .array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 4 })
    .map((all) => [...new Set(all)].sort((a, b) => a - b)),
  abortMs: fc.option(fc.integer({ min: 0, max: 60_000 }), { nil: undefined, freq: 2 }),
  timeoutMs: fc.oneof(fc.integer({ min: 1, max: 90_000 }), fc.constant(Infinity), fc.constant(Infinity)),
  /** Who reads leaves after so many events. */
  leaveAfter: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined, freq: 2 }),
});

test('the text is always that of the job, whatever is cut, lost, forgotten, hidden or refused; and it ends when it should', async () => {
  const ways = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(run, async ({ attempts, script, last, flips, abortMs, timeoutMs, leaveAfter }) => {
      fc.pre(flips.length % 2 === 0 || abortMs !== undefined || timeoutMs < Infinity);
      vi.clearAllTimers();
      const startMs = performance.now();
      const model = streamModel(attempts, viewOf);
      const left = [...script];
      let polls = 0;
      const { fetch, requests } = scriptedFetch<StreamAnswer>((url) => {
        if (url.includes('/status/')) return plain(200, viewOf(++polls > 2));
        const next = left.shift();
        const answer = next ?? last;
        return 'more' in answer ? model.connect(url, answer, next === undefined) : answer;
      });
      const page = flappingVisibility(flips);
      const leaving = new AbortController();
      const abortTimer = abortMs === undefined ? undefined : setTimeout(() => leaving.abort(), abortMs);
      const jobs = createClient({ baseUrl: 'http://jobs.test', fetch, visibility: page.source });

      const heard: JobEvent[] = [];
      let outcome: { how: string; atMs: number } | undefined;
      const over = (how: string) => {
        outcome ??= { how, atMs: performance.now() };
      };
      (async () => {
        for await (const event of jobs.stream(JOB, { signal: leaving.signal, timeoutMs })) {
          heard.push(event);
          if (event.type === 'done') over('done');
          if (heard.length === leaveAfter) {
            over('left');
            break;
          }
        }
      })().catch((error) => over(String(error.code)));
      await runUntil(() => outcome !== undefined, startMs + HORIZON_MS);
      await settle();
      const { how, atMs } = outcome ?? { how: 'never', atMs: Number.NaN };
      ways.set(how, (ways.get(how) ?? 0) + 1);

      // It ended at that instant for a reason.
      const told = requests.find(({ answer, endedMs }) => answer.status === 404 && endedMs !== undefined);
      const reasons: Record<string, number | undefined> = {
        20: abortMs === undefined ? undefined : startMs + abortMs,
        wait_timeout: startMs + timeoutMs,
        job_not_found: told?.endedMs,
        done: requests.at(-1)?.endedMs,
        left: requests.at(-1)?.endedMs ?? requests.at(-1)?.abortedMs,
      };
      expect([how, atMs]).toEqual([how, reasons[how]]);
      expect(atMs).toBeLessThanOrEqual(
        Math.min(reasons['20'] ?? Infinity, reasons.wait_timeout ?? Infinity, reasons.job_not_found ?? Infinity),
      );
      expect(requests.filter(isOpen)).toEqual([]);
      expect(page.listeners()).toBe(0);
      page.stop();
      clearTimeout(abortTimer);
      expect(vi.getTimerCount()).toBe(0);
      checkRequests(
        requests,
        flips.map((flip) => startMs + flip),
        atMs,
      );

      // What was heard.
      let cursor = 0;
      for (const event of heard) {
        if (!('id' in event)) continue;
        expect([event.id, event.soFar]).toEqual([event.id, model.textAt(event.id)]);
        if (event.type !== 'snapshot') expect(event.id).toBeGreaterThan(cursor);
        cursor = event.id;
      }
      const isFollowed = how === 'done' && polls === 0;
      if (isFollowed) expect(cursor).toBe(model.last()?.id);
      const ends = heard.flatMap((event) => (event.type === 'done' ? event.job : []));
      expect(ends).toEqual(how === 'done' || (how === 'left' && heard.at(-1)?.type === 'done') ? [viewOf(true)] : []);

      // How it was asked.
      let isPolling = false;
      for (const [index, { url, startedMs, heardMs, abortedMs }] of requests.entries()) {
        if (isPolling) expect(url).toContain('/status/');
        isPolling ||= url.includes('/status/');
        if (abortedMs !== undefined && heardMs !== undefined)
          expect(abortedMs - heardMs).toBeLessThanOrEqual(SILENCE_MS);
        const before = requests[index - 1];
        if (before?.answeredMs === undefined) continue;
        if (unstreamed.includes(before.answer)) expect(isPolling).toBe(true);
        const { answeredMs, endedMs = before.abortedMs ?? 0, answer } = before;
        const retryAfterMs = Number(answer.headers['Retry-After'] ?? 0) * 1_000;
        expect(startedMs).toBeGreaterThanOrEqual(Math.max(answeredMs + retryAfterMs, endedMs + (answer.retryMs ?? 0)));
      }
    }),
    { numRuns: 200 },
  );
  expect([...ways.keys()].sort()).toEqual(['20', 'done', 'job_not_found', 'left', 'wait_timeout']);
});
