/** Single ways that a stream may go: leaving it, what does not stream, what knows no signals, what comes apart. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type JobEvent, newJobId } from '../../shared/client/client.ts';
import {
  flappingVisibility,
  isOpen,
  runUntil,
  type ScriptedAnswer,
  scriptedFetch,
  settle,
} from '../support/scripted-fetch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const JOB = newJobId();
const view = { success: true, job_id: JOB, status: 'processing', is_complete: false, poll_after_ms: 500 };
const ended = { ...view, status: 'completed', is_complete: true, result_data: 'all' };
const bytes = (text: string) => new TextEncoder().encode(text);
const event = (name: string, data: object, id?: number) =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n${id === undefined ? '' : `id: ${id}\n`}\n`;
const snapshot = event('snapshot', { ...view, partial_result: 'a' }, 1);

function stream(text: string, more: Partial<ScriptedAnswer> = {}): ScriptedAnswer {
  const headers = { 'Content-Type': 'text/event-stream' };
  return { latencyMs: 1, status: 200, headers, pieces: [{ afterMs: 0, bytes: bytes(text) }], ending: 'close', ...more };
}
const json = (body: object) => stream(JSON.stringify(body), { headers: {} });

/** A client whose requests are answered in turn; the last answer stays. */
function clientOf(answers: ScriptedAnswer[], visibility = flappingVisibility([]).source) {
  const { fetch, requests } = scriptedFetch(
    () => (answers.length > 1 ? answers.shift() : answers[0]) as ScriptedAnswer,
  );
  return { jobs: createClient({ baseUrl: 'http://jobs.test', fetch, visibility }), requests };
}

async function heardFrom(events: AsyncIterable<JobEvent>): Promise<JobEvent[]> {
  const heard: JobEvent[] = [];
  let failed: { error: unknown } | undefined;
  let isOver = false;
  (async () => {
    for await (const one of events) heard.push(one);
  })()
    .catch((error) => {
      failed = { error };
    })
    .finally(() => {
      isOver = true;
    });
  expect(await runUntil(() => isOver, 10_000_000)).toBe(true);
  if (failed) throw failed.error;
  return heard;
}

async function tenMs(): Promise<void> {
  await settle();
  for (let ms = 0; ms < 10; ms += 1) {
    vi.advanceTimersByTime(1);
    await settle();
  }
}

test('return() closes the connection at once while an event is waited for, and the one who waits hears of the end', async () => {
  const { jobs, requests } = clientOf([stream(snapshot, { ending: 'silence' })]);
  const events = jobs.stream(JOB);
  const first = events.next();
  await tenMs();
  expect(await first).toMatchObject({ value: { type: 'snapshot', soFar: 'a' } });
  const waiting = events.next();
  await settle();
  expect(requests.filter(isOpen)).toHaveLength(1);
  const left = events.return(undefined);
  expect(requests.filter(isOpen)).toHaveLength(0);
  expect(await Promise.all([waiting, left])).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
  expect(vi.getTimerCount()).toBe(0);
  expect(await events.next()).toEqual({ done: true, value: undefined });
});

test('throw() closes the connection, too, as a generator does that hands a stream on', async () => {
  const { jobs, requests } = clientOf([stream(snapshot, { ending: 'silence' })]);
  async function* handOn() {
    yield* jobs.stream(JOB);
  }
  const events = handOn();
  const first = events.next();
  await tenMs();
  expect(await first).toMatchObject({ value: { type: 'snapshot' } });
  const reason = new Error('Enough.');
  await expect(events.throw(reason)).rejects.toBe(reason);
  await settle();
  expect([requests.filter(isOpen), vi.getTimerCount()]).toEqual([[], 0]);
});

test('nothing is sent before somebody reads', async () => {
  const { jobs, requests } = clientOf([json(ended)]);
  const events = jobs.stream(JOB);
  await settle();
  expect([requests.length, vi.getTimerCount()]).toEqual([0, 0]);
  await events.return(undefined);
  expect(await events.next()).toEqual({ done: true, value: undefined });
  expect(requests).toEqual([]);
});

test('after the signal there is no event, also of those that are there already', async () => {
  const deltas = [2, 3, 4].map((id) => event('delta', { text: 'b' }, id)).join('');
  const { jobs } = clientOf([stream(snapshot + deltas, { ending: 'silence' })]);
  const leaving = new AbortController();
  const events = jobs.stream(JOB, { signal: leaving.signal });
  const first = events.next();
  await tenMs();
  expect((await first).value).toMatchObject({ type: 'snapshot' });
  const reason = new Error('Enough.');
  leaving.abort(reason);
  await expect(events.next()).rejects.toBe(reason);
  await settle();
  expect(vi.getTimerCount()).toBe(0);
});

test('three connections in a row that bring nothing: it goes on with long polls, and nobody is told', async () => {
  const held = stream('', { ending: 'silence', pieces: [] });
  const { jobs, requests } = clientOf([held, held, stream('', { latencyMs: Infinity }), json(view), json(ended)]);
  const heard = await heardFrom(jobs.stream(JOB));
  expect(heard).toEqual([
    { type: 'status', job: view },
    { type: 'done', job: ended },
  ]);
  expect(requests.map(({ url }) => /(stream|status)/.exec(url)?.[0])).toEqual([
    'stream',
    'stream',
    'stream',
    'status',
    'status',
  ]);
  // Within a minute, for there is somebody who waits.
  expect((requests[3]?.startedMs ?? Infinity) - (requests[0]?.startedMs ?? 0)).toBeLessThan(60_000);
});

test('a server that is away for minutes is no reason to stop streaming', async () => {
  const away = stream('', { ending: 'unreachable' });
  const busy = stream('', { status: 503 });
  const rest = event('delta', { text: 'b' }, 2) + event('done', ended, 9);
  const { jobs, requests } = clientOf([stream(snapshot), ...Array(6).fill(away), busy, busy, busy, busy, stream(rest)]);
  const heard = await heardFrom(jobs.stream(JOB));
  expect(heard.map(({ type }) => type)).toEqual(['snapshot', 'delta', 'done']);
  expect(heard[1]).toMatchObject({ soFar: 'ab' });
  expect(requests.at(-1)?.url).toContain('/stream/?starting_after=1');
});

test.each([
  ['a text is all of the text', { success: true, result: 'all of it' }, 'all of it'],
  ['a value was another text', { success: true, result: { city: 'Bern' } }, ''],
])('a job that was over before it was followed: its result that is %s', async (_, result_data, soFar) => {
  const view = { ...ended, result_data };
  const { jobs } = clientOf([stream(event('snapshot', view, 8) + event('done', view, 9))]);
  const heard = await heardFrom(jobs.stream(JOB));
  expect(heard).toEqual([
    { type: 'snapshot', id: 8, job: view, soFar },
    { type: 'done', job: view },
  ]);
});

test('a result that is too large for an event is fetched: the last event has it', async () => {
  const apart = { ...ended, result_data: undefined, result_bytes: 300_000 };
  const { jobs, requests } = clientOf([
    stream(snapshot + event('done', apart, 9)),
    json({ ...apart, result_data: 'huge' }),
  ]);
  const heard = await heardFrom(jobs.stream(JOB));
  expect(heard.at(-1)).toMatchObject({ type: 'done', job: { result_data: 'huge' } });
  expect(requests.at(-1)?.url).toContain('/status/');
  expect((requests[1]?.startedMs ?? 0) - (requests[0]?.startedMs ?? 0)).toBeLessThanOrEqual(250);
});

test('where fetch knows no signals, what was given up tells nothing, and everything ends on time', async () => {
  const late: (() => void)[] = [];
  const page = flappingVisibility([100, 1_000]);
  let connections = 0;
  let left = 0;
  const deaf = async () => {
    connections += 1;
    const isFirst = connections === 1;
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes(isFirst ? snapshot : event('delta', { text: 'b' }, 2)));
        late.push(() => controller.enqueue(bytes(event('delta', { text: 'b' }, 2))));
      },
      cancel() {
        left += 1;
      },
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  };
  const jobs = createClient({ baseUrl: 'http://jobs.test', fetch: deaf as typeof fetch, visibility: page.source });
  const heard: JobEvent[] = [];
  let code: string | undefined;
  (async () => {
    for await (const one of jobs.stream(JOB, { timeoutMs: 5_000 })) heard.push(one);
  })().catch((error) => {
    code = error.code;
  });
  await runUntil(() => connections === 2, 2_000);
  late[0]?.();
  expect(await runUntil(() => code !== undefined, 10_000)).toBe(true);
  expect([code, performance.now()]).toEqual(['wait_timeout', 5_000]);
  expect(heard.map((one) => 'soFar' in one && one.soFar)).toEqual(['a', 'ab']);
  expect([left, vi.getTimerCount()]).toEqual([1, 0]);
});

test('a token that never comes does not keep a wait from its end', async () => {
  const token = () => new Promise<string>(() => {});
  const jobs = createClient({ baseUrl: 'http://jobs.test', token, fetch: () => Promise.reject(new Error('not sent')) });
  let code: string | undefined;
  jobs.wait(JOB, { timeoutMs: 7_000 }).catch((error) => {
    code = error.code;
  });
  expect(await runUntil(() => code !== undefined, 60_000)).toBe(true);
  expect([code, performance.now()]).toEqual(['wait_timeout', 7_000]);
});
