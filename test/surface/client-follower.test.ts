/** The store under the React hook: one job of a page, on the real service. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FollowedJob, IDLE } from '../../shared/client/followed-job.ts';
import { newJobId } from '../../shared/client/job-id.ts';
import { cancelOf, pause, statusOf } from '../support/app.ts';
import { followerWorld, prompt, shown, tabStorage, until } from './follower-world.ts';

let world: Awaited<ReturnType<typeof followerWorld>>;
beforeAll(async () => {
  world = await followerWorld();
});
afterAll(() => world.close());

const nothing = () => {};

test('a job from the click to its result, as somebody sees it', async () => {
  const storage = tabStorage();
  const kept: unknown[] = [];
  const { follower, requests, seen } = world.page({ storage }, ({ method }) => {
    kept.push([method, storage.kept()]);
    return undefined;
  });
  expect(seen()).toBe(IDLE);
  const history: FollowedJob[] = [];
  const leave = follower.subscribe(() => history.push(seen()));
  expect([requests, seen()]).toEqual([[], IDLE]);

  const submission = prompt('From click to result [simulate seconds=0.4]');
  const jobId = follower.submit(submission);
  expect(seen()).toEqual({ ...IDLE, jobId, status: 'submitting', isPending: true });
  await shown(follower, 'completed');
  expect(seen()).toMatchObject({ jobId, progress: 100, error: undefined, isPending: false });
  expect(seen().result).toMatchObject({ result: expect.stringContaining('From click to result') });
  expect(seen().text).toBe((seen().result as { result: string }).result);

  const inOrder = (values: unknown[]) => values.filter((value, n) => value !== values[n - 1]);
  expect(inOrder(history.map(({ status }) => status)).slice(0, 2)).toEqual(['submitting', 'pending']);
  expect(inOrder(history.map(({ status }) => status)).slice(-2)).toEqual(['processing', 'completed']);
  const lengths = history.map(({ text }) => text.length);
  expect(lengths).toEqual([...lengths].sort((one, other) => one - other));
  expect(new Set(lengths).size).toBeGreaterThan(3);
  const progress = history.map((each) => each.progress);
  expect(progress).toEqual([...progress].sort((one, other) => one - other));
  expect(history.every((each) => each.isPending === (each.status !== 'completed'))).toBe(true);
  expect(requests).toEqual(['PUT', 'GET stream/']);
  expect(kept).toEqual([
    ['PUT', { jobId, submission }],
    ['GET', { jobId }],
  ]);
  expect(storage.kept()).toBeNull();
  expect(seen()).toBe(seen());

  // The next one.
  expect(follower.submit(prompt('Another one'))).not.toBe(jobId);
  expect(seen()).toMatchObject({ status: 'submitting', progress: 0, text: '', result: undefined, job: undefined });
  await shown(follower, 'completed');
  leave();
});

test('a second click while a job is pending goes on with that one', async () => {
  const before = await world.jobs();
  const { follower, requests } = world.page();
  follower.subscribe(nothing);
  const ids = [1, 2, 3].map(() => follower.submit(prompt('Twice [simulate seconds=0.2]')));
  await shown(follower, 'processing');
  ids.push(follower.submit(prompt('Something else')));
  await shown(follower, 'completed');
  expect(new Set(ids).size).toBe(1);
  expect(requests).toEqual(['PUT', 'GET stream/']);
  expect(await world.jobs()).toBe(before + 1);
});

test('Strict Mode, which comes, leaves and comes again, makes one submit and one stream', async () => {
  const storage = tabStorage();
  storage.setItem('job', JSON.stringify({ jobId: newJobId(), submission: prompt('Strictly [simulate seconds=0.2]') }));
  const strictly = world.page({ storage });
  const comeTwice = () => {
    strictly.follower.subscribe(nothing)();
    return strictly.follower.subscribe(nothing);
  };
  const leave = comeTwice();
  await shown(strictly.follower, 'processing');
  leave();
  comeTwice();
  await shown(strictly.follower, 'completed');
  expect(strictly.requests).toEqual(['PUT', 'GET stream/', 'GET stream/']);
});

test('a reload in the middle goes on with the same job, which shows from the first moment', async () => {
  const before = await world.jobs();
  const storage = tabStorage();
  const first = world.page({ storage });
  const leave = first.follower.subscribe(nothing);
  const jobId = first.follower.submit(prompt('Reloaded [simulate seconds=0.5]'));
  await until(() => first.seen().text !== '');
  leave();
  const textThen = first.seen().text;

  const second = world.page({ storage });
  expect(second.seen()).toEqual({ ...IDLE, jobId, status: 'pending', isPending: true });
  expect(second.follower.submit(prompt('Impatient'))).toBe(jobId);
  expect(second.requests).toEqual([]);
  second.follower.subscribe(nothing);
  await shown(second.follower, 'completed');
  expect(second.seen().text.startsWith(textThen)).toBe(true);
  expect(second.seen().text.length).toBeGreaterThan(textThen.length);
  expect(second.requests).toEqual(['GET stream/']);
  expect([await world.jobs(), storage.kept()]).toEqual([before + 1, null]);
});

test.each([
  ['before it arrived', () => new Promise<never>(nothing)],
  [
    'when it had arrived, and before the answer',
    (go: () => Promise<unknown>) => go().then(() => new Promise<never>(nothing)),
  ],
])('a page that dies while it submits, %s, is one job after the reload', async (_, dies) => {
  const before = await world.jobs();
  const storage = tabStorage();
  const first = world.page({ storage }, ({ method }, go) => (method === 'PUT' ? dies(go) : undefined));
  first.follower.subscribe(nothing);
  const jobId = first.follower.submit(prompt('Dying'));
  await until(() => first.requests.length === 1);
  await pause(20);

  const second = world.page({ storage });
  expect(second.seen()).toMatchObject({ jobId, status: 'submitting', isPending: true });
  second.follower.subscribe(nothing);
  await shown(second.follower, 'completed');
  expect(second.requests).toEqual(['PUT', 'GET stream/']);
  expect([await world.jobs(), first.seen().status, storage.kept()]).toEqual([before + 1, 'submitting', null]);
});

test('a submit goes on when its component leaves right after the click; nothing is followed until one is back', async () => {
  const storage = tabStorage();
  const first = world.page({ storage });
  const leave = first.follower.subscribe(nothing);
  const jobId = first.follower.submit(prompt('Left at once'));
  leave();
  await until(() => JSON.stringify(storage.kept()) === JSON.stringify({ jobId }));
  expect(await world.poll(jobId)).toMatchObject({ status: 'completed' });
  await pause(30);
  expect([first.requests, first.seen().status]).toEqual([['PUT'], 'pending']);

  const second = world.page({ storage });
  second.follower.subscribe(nothing);
  await shown(second.follower, 'completed');
  expect(second.requests).toEqual(['GET stream/']);
});

test('the last of several subscribers ends the stream, and what came before stays', async () => {
  const { follower, requests, seen } = world.page();
  const leaves = [follower.subscribe(nothing), follower.subscribe(nothing)];
  const jobId = follower.submit(prompt('Two look on [simulate seconds=5]'));
  await until(() => seen().text !== '');
  leaves[0]?.();
  const then = seen().text;
  await until(() => seen().text !== then);
  leaves[1]?.();
  const last = seen();
  await pause(400);
  expect(seen()).toBe(last);
  expect(requests).toEqual(['PUT', 'GET stream/']);
  await world.post(cancelOf(jobId), {});
});

test('a failed job is an error with its code and its sentence', async () => {
  const storage = tabStorage();
  const { follower, seen } = world.page({ storage });
  follower.subscribe(nothing);
  const jobId = follower.submit(prompt('[simulate fail=content_policy]'));
  await shown(follower, 'failed');
  expect(seen()).toMatchObject({ isPending: false, result: undefined });
  expect(seen().error).toMatchObject({ name: 'LlmJobsError', code: 'content_policy', jobId });
  expect(seen().error?.message).toBe((await world.get(statusOf(jobId))).body.error_message);
  expect(storage.kept()).toBeNull();
});

test('cancels a job that runs', async () => {
  const storage = tabStorage();
  const { follower, seen, requests } = world.page({ storage });
  follower.subscribe(nothing);
  follower.cancel();
  const jobId = follower.submit(prompt('Cancelled [simulate seconds=60]'));
  await shown(follower, 'processing');
  follower.cancel();
  await shown(follower, 'cancelled');
  expect(seen()).toMatchObject({ jobId, isPending: false, error: undefined, result: undefined, progress: 100 });
  expect((await world.get(statusOf(jobId))).body.status).toBe('cancelled');
  follower.cancel();
  await pause(20);
  expect(requests).toEqual(['PUT', 'GET stream/', 'POST cancel/']);
  expect(storage.kept()).toBeNull();
});

test('a job that is cancelled elsewhere is cancelled here', async () => {
  const { follower, seen } = world.page();
  follower.subscribe(nothing);
  const jobId = follower.submit(prompt('Elsewhere [simulate seconds=60]'));
  await shown(follower, 'processing');
  await world.post(cancelOf(jobId), {});
  await shown(follower, 'cancelled');
  expect(seen().error).toBeUndefined();
});
