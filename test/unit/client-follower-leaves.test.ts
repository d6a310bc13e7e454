/** A component that leaves: no request is sent after it, and no timer stays, whatever was under way. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { alwaysActive, createClient } from '../../shared/client/client.ts';
import { jobFollower } from '../../shared/client/follower.ts';
import type { Submission } from '../../shared/client/submissions.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const SUBMISSION: Submission = {
  job_type: 'general_llm_request',
  model_id: 'simulated',
  input_data: { prompt: 'Hi.' },
};
const MINUTE_MS = 60_000;

type Answer = (signal: AbortSignal, path: string) => Promise<Response>;
/** As long as the signal does not fire. */
const never: Answer = (signal) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
const refused: Answer = () => Promise.reject(new TypeError('Failed to fetch'));
const busy: Answer = async () => new Response('{}', { status: 503, headers: { 'Retry-After': '20' } });
const missing: Answer = async () => Response.json({ code: 'job_not_found', error: 'Job not found' }, { status: 404 });
const accepted: Answer = async (_, path) =>
  Response.json({ success: true, job_id: path.split('/')[4], status: 'pending', message: 'Taken.' }, { status: 202 });
/** A stream that has begun, and in which nothing happens. */
const silent: Answer = async (signal) => {
  const body = new ReadableStream({
    start: (stream) => signal.addEventListener('abort', () => stream.error(signal.reason)),
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
};

/** A page whose server answers each kind of request in its own way. */
function page(answers: { PUT?: Answer; GET?: Answer; POST?: Answer }, timeoutMs?: number, visibility = alwaysActive) {
  const requests: string[] = [];
  const client = createClient({
    baseUrl: 'http://server.test',
    fetch: (input, init) => {
      const { method = 'GET', signal } = init ?? {};
      requests.push(method);
      const answer = answers[method as keyof typeof answers] ?? accepted;
      return answer(signal as AbortSignal, new URL(String(input)).pathname);
    },
  });
  const values = new Map<string, string>();
  const storage = {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  };
  const follower = jobFollower({ client: () => client, key: 'job', storage, timeoutMs, visibility });
  return { follower, requests, values };
}

test.each([
  ['a stream in which nothing happens', silent],
  ['a stream that does not begin', never],
  ['the pause after a connection that failed', refused],
  ['the pause that a busy server asks for', busy],
])('from %s', async (_, GET) => {
  const { follower, requests } = page({ GET });
  const leave = follower.subscribe(() => {});
  follower.submit(SUBMISSION);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(requests.slice(0, 2)).toEqual(['PUT', 'GET']);
  expect(vi.getTimerCount()).toBeGreaterThan(0);
  const before = [...requests];
  leave();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(requests).toEqual(before);
  expect(follower.getSnapshot()).toMatchObject({ status: 'pending', isPending: true });
});

test.each([
  ['nobody answers', never],
  ['the network is gone', refused],
])('from a submit, which goes on for 30 s where %s', async (_, PUT) => {
  const { follower, requests, values } = page({ PUT });
  const leave = follower.subscribe(() => {});
  const jobId = follower.submit(SUBMISSION);
  leave();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(follower.getSnapshot()).toMatchObject({ status: 'submitting', isPending: true });
  await vi.advanceTimersByTimeAsync(15_500);
  expect(requests.length).toBeGreaterThan(1);
  expect(follower.getSnapshot()).toMatchObject({
    status: 'idle',
    isPending: false,
    error: { code: 'no_answer', jobId },
  });
  expect(vi.getTimerCount()).toBe(0);
  const before = [...requests];
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(requests).toEqual(before);
  // Whoever comes back finds it.
  expect(JSON.parse(values.get('job') ?? '')).toEqual({ jobId, submission: SUBMISSION });
});

test('at the time limit, which is two minutes, also without leaving', async () => {
  const { follower, requests } = page({ GET: silent });
  follower.subscribe(() => {});
  follower.submit(SUBMISSION);
  await vi.advanceTimersByTimeAsync(119_000);
  expect(follower.getSnapshot().isPending).toBe(true);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(follower.getSnapshot()).toMatchObject({ isPending: false, error: { code: 'wait_timeout' } });
  expect(vi.getTimerCount()).toBe(0);
  const before = [...requests];
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(requests).toEqual(before);
});

test('the limit counts anew when somebody comes back to a page on which it ran out', async () => {
  const listeners = new Set<() => void>();
  const looks = { isActive: () => true, subscribe: (listener: () => void) => listening(listener) };
  const listening = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const { follower, requests } = page({ GET: silent }, undefined, looks);
  const leave = follower.subscribe(() => {});
  follower.submit(SUBMISSION);
  await vi.advanceTimersByTimeAsync(1_000);
  looks.isActive = () => false;
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(follower.getSnapshot().error?.code).toBe('wait_timeout');
  const before = [...requests];
  looks.isActive = () => true;
  for (const listener of listeners) listener();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(follower.getSnapshot()).toMatchObject({ error: undefined, isPending: true });
  expect(requests).toEqual([...before, 'GET']);

  // Who leaves meanwhile is not waited for.
  looks.isActive = () => false;
  await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
  expect(listeners.size).toBe(1);
  leave();
  expect(listeners.size).toBe(0);
});

test('a limit shorter than a submit ends that, too', async () => {
  const { follower } = page({ PUT: never }, 1_000);
  follower.submit(SUBMISSION);
  await vi.advanceTimersByTimeAsync(1_001);
  expect(follower.getSnapshot()).toMatchObject({ status: 'idle', error: { code: 'no_answer' } });
  expect(vi.getTimerCount()).toBe(0);
});

test('a submission that is cancelled is looked for a few times, no more', async () => {
  const { follower, requests, values } = page({ PUT: never, POST: missing });
  follower.subscribe(() => {});
  follower.submit(SUBMISSION);
  await vi.advanceTimersByTimeAsync(100);
  follower.cancel();
  await vi.advanceTimersByTimeAsync(MINUTE_MS);
  expect(requests).toEqual(['PUT', ...Array(10).fill('POST')]);
  expect([vi.getTimerCount(), values.size]).toEqual([0, 0]);
});

test('a submission that was forgotten is answered in vain: what came after it is kept and followed, and submitted once', async () => {
  const given: ((response: Response) => void)[] = [];
  const late: Answer = () => new Promise((resolve) => void given.push(resolve));
  const { follower, requests, values } = page({ PUT: late, GET: silent });
  const leave = follower.subscribe(() => {});
  const taken = (jobId: string) => accepted(new AbortController().signal, `/api/llm/jobs/${jobId}/`);
  const first = follower.submit(SUBMISSION);
  follower.reset();
  const second = follower.submit({ ...SUBMISSION, tags: ['second'] });
  await vi.advanceTimersByTimeAsync(1_000);
  given[0]?.(await taken(first));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(follower.getSnapshot()).toMatchObject({ jobId: second, status: 'submitting' });
  expect(JSON.parse(values.get('job') ?? '')).toMatchObject({ jobId: second, submission: { tags: ['second'] } });
  // It is still under way.
  leave();
  follower.subscribe(() => {});
  await vi.advanceTimersByTimeAsync(1_000);
  expect(requests).toEqual(['PUT', 'PUT']);
  given[1]?.(await taken(second));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(follower.getSnapshot()).toMatchObject({ jobId: second, status: 'pending', isPending: true });
  expect(JSON.parse(values.get('job') ?? '')).toEqual({ jobId: second });
  expect(requests).toEqual(['PUT', 'PUT', 'GET']);
});

test('a submission that cannot be written is an error to be shown, also after one that got no answer', async () => {
  const { follower } = page({ PUT: busy });
  follower.submit(SUBMISSION);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(follower.getSnapshot()).toMatchObject({ status: 'idle', isPending: false });
  const itself: Record<string, unknown> = { prompt: 'Hi.' };
  itself.metadata = itself;
  follower.submit({ ...SUBMISSION, input_data: itself } as never);
  await vi.advanceTimersByTimeAsync(0);
  expect(follower.getSnapshot().error).toMatchObject({ code: 'invalid_request' });

  // Nor is it the job that was followed before it.
  const other = page({ GET: silent }, 1_000).follower;
  other.subscribe(() => {});
  const jobId = other.submit(SUBMISSION);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(other.getSnapshot().error).toMatchObject({ code: 'wait_timeout' });
  expect(other.submit({ ...SUBMISSION, input_data: itself } as never)).not.toBe(jobId);
});
