/** What a signal does to a job that is waited for: with `cancel` the job ends, also where its submit was still under way. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, newJobId, type Submission } from '../../shared/client/client.ts';
import { isOpen, runUntil, type ScriptedAnswer, scriptedFetch, settle } from '../support/scripted-fetch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const JOB = newJobId();
const SUBMISSION: Submission = {
  ...{ job_type: 'general_llm_request', model_id: 'simulated' },
  input_data: { prompt: 'Say hello.' },
};
const view = { success: true, job_id: JOB, status: 'processing', is_complete: false, poll_after_ms: 500 };

function json(status: number, body: object, latencyMs = 5): ScriptedAnswer {
  const pieces = [{ afterMs: 0, bytes: new TextEncoder().encode(JSON.stringify(body)) }];
  return { latencyMs, status, headers: {}, pieces, ending: 'close' };
}
const NOT_FOUND = json(404, { success: false, error: 'Job not found', code: 'job_not_found' });

/** Submits and waits; the signal fires after so long. Answers what was sent, when, once nothing is left to do. */
async function abortedAfter(ms: number, answers: Record<'PUT' | 'GET' | 'POST', () => ScriptedAnswer>) {
  const asked: string[] = [];
  const { fetch, requests } = scriptedFetch(() => answers[asked.at(-1) as 'PUT']());
  const noting: typeof fetch = (input, init) => {
    asked.push(init?.method ?? 'GET');
    return fetch(input, init);
  };
  const jobs = createClient({ baseUrl: 'http://jobs.test', fetch: noting });
  const leaving = new AbortController();
  const reason = new Error('Never mind.');
  setTimeout(() => leaving.abort(reason), ms);
  let error: unknown;
  jobs.submitAndWait(SUBMISSION, { jobId: JOB, signal: leaving.signal, cancel: true }).catch((thrown) => {
    error = thrown;
  });
  await runUntil(() => error !== undefined, 100_000);
  expect([error, performance.now()]).toEqual([reason, ms]);
  await runUntil(() => vi.getTimerCount() === 0, 1_000_000);
  expect(requests.filter(isOpen)).toEqual([]);
  return requests.map(({ method, url, startedMs }) => ({ method, path: new URL(url).pathname, ms: startedMs }));
}

const CANCEL = `/api/llm/jobs/${JOB}/cancel/`;

test.each([
  ['', json(200, view)],
  [', also where it was deleted meanwhile', NOT_FOUND],
])('a job that is stored is cancelled with one request, at the instant of the signal%s', async (_, answered) => {
  const sent = await abortedAfter(3_000, {
    PUT: () => json(202, view),
    GET: () => json(200, view, 2_000),
    POST: () => answered,
  });
  expect(sent.filter(({ ms }) => ms >= 3_000)).toEqual([{ method: 'POST', path: CANCEL, ms: 3_000 }]);
});

test('a submit that was broken off and arrives later is cancelled, too: not found is no answer for a while', async () => {
  const cancels = [NOT_FOUND, NOT_FOUND, json(200, view)];
  const sent = await abortedAfter(1_000, {
    PUT: () => json(202, view, Infinity),
    GET: () => json(200, view),
    POST: () => cancels.shift() as ScriptedAnswer,
  });
  expect(sent.map(({ method, path }) => [method, path])).toEqual([
    ['PUT', `/api/llm/jobs/${JOB}/`],
    ...[1, 2, 3].map(() => ['POST', CANCEL]),
  ]);
  expect(sent[1]?.ms).toBe(1_000);
});

test('one that never arrives is asked for no longer than it could', async () => {
  const sent = await abortedAfter(1_000, {
    PUT: () => json(202, view, Infinity),
    GET: () => json(200, view),
    POST: () => NOT_FOUND,
  });
  expect(sent.slice(1).every(({ method }) => method === 'POST')).toBe(true);
  expect(sent.length).toBeGreaterThan(5);
  expect(sent.length).toBeLessThan(15);
  expect(sent.at(-1)?.ms).toBeLessThan(30_000);
});

test('a signal that has fired before, or what cannot be valid, sends nothing', async () => {
  const { fetch, requests } = scriptedFetch(() => NOT_FOUND);
  const jobs = createClient({ baseUrl: 'http://jobs.test', fetch });
  const reason = new Error('Before.');
  const signal = AbortSignal.abort(reason);
  await expect(jobs.submitAndWait(SUBMISSION, { signal, cancel: true })).rejects.toBe(reason);
  await expect(jobs.submit(SUBMISSION, { signal })).rejects.toBe(reason);
  await expect(jobs.wait('no id', { cancel: true })).rejects.toMatchObject({ code: 'invalid_request' });
  await settle();
  expect(requests).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a job that ended with an error is not cancelled, nor one whose wait was too long', async () => {
  const { fetch, requests } = scriptedFetch((url) => (url.includes('/status/') ? json(200, view) : json(202, view)));
  const jobs = createClient({ baseUrl: 'http://jobs.test', fetch });
  let code: string | undefined;
  const options = { timeoutMs: 2_000, cancel: true, signal: new AbortController().signal };
  jobs.submitAndWait(SUBMISSION, { jobId: JOB, ...options }).catch((error) => {
    code = error.code;
  });
  await runUntil(() => code !== undefined, 100_000);
  // One limit for both.
  expect([code, performance.now()]).toEqual(['wait_timeout', 2_000]);
  expect(requests.map(({ method }) => method)).not.toContain('POST');
  expect(vi.getTimerCount()).toBe(0);
});
