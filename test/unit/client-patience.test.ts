/** How long the client has patience, and with what: single cases that the properties do not tell apart. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { browserVisibility, createClient, newJobId, type Submission } from '../../shared/client/client.ts';
import { isClientJobId } from '../../shared/client/job-id.ts';
import { answeredClient, outcomeOf } from '../support/answered-client.ts';
import { type ScriptedAnswer, scriptedFetch, settle } from '../support/scripted-fetch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const JOB = newJobId();
const view = { success: true, job_id: JOB, status: 'processing', is_complete: false };
const ended = { ...view, status: 'completed', is_complete: true, result_data: 'all' };
const SUBMISSION: Submission = {
  ...{ job_type: 'general_llm_request', model_id: 'simulated' },
  input_data: { prompt: 'Say hello.' },
};
const bytes = (text: string) => new TextEncoder().encode(text);
const event = (name: string, data: object, id: number) =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\nid: ${id}\n\n`;

/** A stream whose pieces come so far apart. */
function stream(texts: string[], afterMs = 0): ScriptedAnswer {
  const pieces = texts.map((text) => ({ afterMs, bytes: bytes(text) }));
  return { latencyMs: 1, status: 200, headers: { 'Content-Type': 'text/event-stream' }, pieces, ending: 'close' };
}
const snapshot = event('snapshot', view, 1);
const done = event('done', ended, 9);

/** What a stream asks for, from answer to answer, and how long it takes. */
async function streamed(answers: ScriptedAnswer[]) {
  const { fetch, requests } = scriptedFetch(() => answers.shift() as ScriptedAnswer);
  const jobs = createClient({ baseUrl: 'http://jobs.test', fetch });
  const startedMs = performance.now();
  const types: string[] = [];
  const reading = (async () => {
    for await (const { type } of jobs.stream(JOB)) types.push(type);
  })();
  const { error } = await outcomeOf(reading);
  const ways = requests.map(({ url }) => /stream|status/.exec(url)?.[0]);
  return { error, types, ways, tookMs: performance.now() - startedMs };
}

describe('a stream', () => {
  test('in which nothing happens for minutes is one connection, as long as the server shows that it is alive', async () => {
    const alive = Array<string>(12).fill(': alive\n\n');
    const { ways, types, tookMs } = await streamed([stream([snapshot, ...alive, done], 14_000)]);
    expect([ways, types]).toEqual([['stream'], ['snapshot', 'done']]);
    expect(tookMs).toBeGreaterThan(180_000);
  });

  test('that breaks off after news again and again is taken up within a second each time', async () => {
    const { types, tookMs } = await streamed([...Array(8).fill(stream([snapshot])), stream([done])]);
    expect(types).toEqual([...Array(8).fill('snapshot'), 'done']);
    expect(tookMs).toBeLessThan(8 * 1_100);
  });

  test('is given up for connections in a row that bring nothing, not for as many in all', async () => {
    const nothing = stream([]);
    const { ways } = await streamed([nothing, nothing, stream([snapshot]), nothing, nothing, stream([done])]);
    expect(ways).toEqual(Array(6).fill('stream'));
  });

  test('of a job whose result was removed does not look for it', async () => {
    const removed = {
      ...ended,
      result_data: undefined,
      result_bytes: 300_000,
      payloads_removed_at: '2026-01-01T00:00:00Z',
    };
    const { ways, types } = await streamed([stream([event('done', removed, 9)])]);
    expect([ways, types]).toEqual([['stream'], ['done']]);
  });
});

describe('a wait', () => {
  test('that is told no time asks once a second, and warns of nothing', async () => {
    const warned: string[] = [];
    const warn = ({ message }: Error) => void warned.push(message);
    process.on('warning', warn);
    const { jobs, sent } = answeredClient({}, () => Response.json(view));
    expect((await outcomeOf(jobs.wait(JOB, { timeoutMs: 20_500 }))).code).toBe('wait_timeout');
    process.off('warning', warn);
    expect(sent.map(({ atMs }) => Math.round((atMs - (sent[0]?.atMs ?? 0)) / 100))).toEqual(
      Array.from({ length: 21 }, (_, n) => n * 10),
    );
    expect(warned).toEqual([]);
  });

  test('that is told to come back in a year does', async () => {
    const { jobs, sent } = answeredClient(
      {},
      () => new Response('', { status: 503, headers: { 'Retry-After': '31536000' } }),
    );
    const leaving = new AbortController();
    const waiting = jobs.wait(JOB, { timeoutMs: Infinity, signal: leaving.signal }).catch(() => {});
    await settle();
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(sent).toHaveLength(1);
    leaving.abort();
    await waiting;
  });

  test('is held for 25 s, or 3 s for who wants to hear of the progress', async () => {
    const { jobs, sent } = answeredClient({}, () => Response.json(ended));
    await jobs.wait(JOB);
    await jobs.wait(JOB, { onUpdate: () => {} });
    expect(sent.map(({ url }) => url.split('?')[1])).toEqual(['wait=25', 'wait=3']);
  });

  test('whose time is up says what was in the way, and when to come again', async () => {
    const busy = () => Response.json({ code: 'overloaded' }, { status: 503, headers: { 'Retry-After': '60' } });
    const { error } = await outcomeOf(answeredClient({}, busy).jobs.wait(JOB, { timeoutMs: 5_000 }));
    expect(error).toMatchObject({ code: 'wait_timeout', retryAfterMs: 60_000, cause: { code: 'overloaded' } });
  });

  test('after a submit begins when the submit said', async () => {
    const { jobs, sent } = answeredClient({}, (nth) =>
      Response.json(nth === 1 ? { ...view, poll_after_ms: 3_000 } : ended),
    );
    expect((await outcomeOf(jobs.submitAndWait(SUBMISSION, { jobId: JOB }))).value).toEqual(ended);
    expect((sent[1]?.atMs ?? 0) - (sent[0]?.atMs ?? 0)).toBe(3_000);
  });

  test('hears nothing after its signal, also where fetch knows no signals, and leaves no timer', async () => {
    let give = (_: Response) => {};
    const late = new Promise<Response>((resolve) => {
      give = resolve;
    });
    const onUpdate = vi.fn();
    const leaving = new AbortController();
    const { jobs } = answeredClient({}, () => late);
    const waiting = jobs.wait(JOB, { onUpdate, signal: leaving.signal }).catch(() => {});
    await settle();
    leaving.abort();
    await waiting;
    give(Response.json(view));
    await settle();
    expect(onUpdate).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('an answer that has begun has a minute to come', async () => {
  const slow: ScriptedAnswer = {
    ...{ latencyMs: 1_000, status: 200, headers: {}, ending: 'close' },
    pieces: [{ afterMs: 50_000, bytes: bytes(JSON.stringify(ended)) }],
  };
  const { fetch, requests } = scriptedFetch(() => slow);
  const jobs = createClient({ baseUrl: 'http://jobs.test', fetch });
  expect((await outcomeOf(jobs.wait(JOB))).value).toEqual(ended);
  expect((await outcomeOf(jobs.get(JOB, { timeoutMs: 120_000 }))).value).toEqual(ended);
  expect(requests).toHaveLength(2);
});

test.each([
  ['too early', { status: 425 }, true],
  ['a model that nobody has a key for', { status: 503, code: 'model_unavailable' }, false],
  ['a gateway that is out of time', { status: 504 }, true],
  ['a conflict', { status: 409 }, false],
])('%s: is it tried again?', async (_, { status, ...body }, isTriedAgain) => {
  const headers = { 'X-Request-Id': 'r1' };
  const { jobs, sent } = answeredClient({}, () => Response.json(body, { status, headers }));
  const { error } = await outcomeOf(jobs.get(JOB, { timeoutMs: 5_000 }));
  expect(error).toMatchObject({ status, requestId: 'r1' });
  expect(sent.length > 1).toBe(isTriedAgain);
});

test.each([
  [0, 250],
  [1, 500],
])('the first pause after a failure is spread: with a chance of %d it is %d ms', async (chance, pauseMs) => {
  vi.spyOn(Math, 'random').mockReturnValue(chance);
  const { jobs, sent } = answeredClient({}, (nth) =>
    nth === 1 ? new Response('', { status: 500 }) : Response.json(ended),
  );
  await outcomeOf(jobs.get(JOB));
  expect((sent[1]?.atMs ?? 0) - (sent[0]?.atMs ?? 0)).toBe(pauseMs);
});

test('a cancel on leaving outlives the page; a submit whose signal has fired is neither sent nor cancelled', async () => {
  const { jobs, sent } = answeredClient({}, () => Response.json(ended));
  const signal = AbortSignal.abort();
  await expect(jobs.submit(SUBMISSION, { signal, cancel: true })).rejects.toBe(signal.reason);
  await settle();
  expect(sent).toEqual([]);
  await expect(jobs.wait(JOB, { signal, cancel: true })).rejects.toBe(signal.reason);
  await settle();
  expect(sent).toMatchObject([{ method: 'POST', keepalive: true }]);
});

test('a page is active while it is shown and online; a worker has no document', () => {
  const [window, document] = [new EventTarget(), Object.assign(new EventTarget(), { visibilityState: 'visible' })];
  const navigator = { onLine: true };
  vi.stubGlobal('window', window);
  vi.stubGlobal('document', document);
  vi.stubGlobal('navigator', navigator);
  const heard: boolean[] = [];
  const stop = browserVisibility.subscribe(() => heard.push(browserVisibility.isActive()));
  document.visibilityState = 'hidden';
  document.dispatchEvent(new Event('visibilitychange'));
  document.visibilityState = 'visible';
  navigator.onLine = false;
  window.dispatchEvent(new Event('offline'));
  navigator.onLine = true;
  window.dispatchEvent(new Event('online'));
  stop();
  window.dispatchEvent(new Event('offline'));
  document.dispatchEvent(new Event('visibilitychange'));
  expect(heard).toEqual([false, false, true]);
  vi.stubGlobal('window', undefined);
  vi.stubGlobal('document', undefined);
  vi.stubGlobal('self', window);
  browserVisibility.subscribe(() => heard.push(browserVisibility.isActive()));
  window.dispatchEvent(new Event('offline'));
  expect(heard).toEqual([false, false, true, true]);
});

test('a page that was not served over https makes ids, too', () => {
  vi.stubGlobal('crypto', { getRandomValues: (into: Uint8Array) => into.map((_, n) => n * 17 + Math.random() * 16) });
  const ids = Array.from({ length: 50 }, newJobId);
  expect(ids.filter((id) => !isClientJobId(id) || id[14] !== '4')).toEqual([]);
  expect(new Set(ids).size).toBe(50);
});
