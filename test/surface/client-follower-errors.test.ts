/** The store under the React hook where something is in the way: the network, the time, the storage, the job itself. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, newJobId } from '../../shared/client/client.ts';
import { IDLE } from '../../shared/client/followed-job.ts';
import { jobFollower } from '../../shared/client/follower.ts';
import { pause, statusOf } from '../support/app.ts';
import { followerWorld, prompt, shown, tabStorage, until } from './follower-world.ts';

let world: Awaited<ReturnType<typeof followerWorld>>;
beforeAll(async () => {
  world = await followerWorld();
});
afterAll(() => world.close());

const nothing = () => {};
/** It says so at once that trying again will not help for the next 30 s; it is not known whether it took the job before. */
const busy = async () =>
  Response.json(
    { error: 'Too many requests', code: 'rate_limited' },
    { status: 429, headers: { 'Retry-After': '60' } },
  );

describe('a submit', () => {
  test('that can not be right is an error, and nothing is kept', async () => {
    const storage = tabStorage();
    const { follower, seen } = world.page({ storage });
    follower.subscribe(nothing);
    const jobId = follower.submit({ ...prompt('No such model'), model_id: 'no-such-model' });
    await until(() => !seen().isPending);
    expect(seen()).toMatchObject({ jobId, status: 'idle', job: undefined });
    expect(seen().error).toMatchObject({ code: 'invalid_request', status: 400, details: [{ path: 'model_id' }] });
    expect(storage.kept()).toBeNull();
    follower.resume();
    expect(seen()).toMatchObject({ status: 'idle', isPending: false });
    follower.submit(prompt('Right'));
    expect(seen().error).toBeUndefined();
    await shown(follower, 'completed');
  });

  test('that finds no way is kept: the same again, or a resume, is the same job', async () => {
    const before = await world.jobs();
    const storage = tabStorage();
    let isBusy = true;
    const page = world.page({ storage }, () => (isBusy ? busy() : undefined));
    const { follower, seen } = page;
    follower.subscribe(nothing);
    const submission = prompt('Answered late');
    const jobId = follower.submit(submission);
    await until(() => !seen().isPending);
    expect(seen()).toMatchObject({ jobId, status: 'idle', error: { code: 'rate_limited', jobId } });
    expect(storage.kept()).toEqual({ jobId, submission });

    expect(follower.submit(structuredClone(submission))).toBe(jobId);
    expect(seen()).toMatchObject({ status: 'submitting', error: undefined, isPending: true });
    await until(() => !seen().isPending);
    isBusy = false;
    follower.resume();
    expect(seen()).toMatchObject({ status: 'submitting', error: undefined, isPending: true });
    await shown(follower, 'completed');
    expect(await world.jobs()).toBe(before + 1);
  });

  test('of something else is another job', async () => {
    let isBusy = true;
    const page = world.page({}, () => (isBusy ? busy() : undefined));
    page.follower.subscribe(nothing);
    const jobId = page.follower.submit(prompt('First'));
    await until(() => !page.seen().isPending);
    isBusy = false;
    expect(page.follower.submit(prompt('Second'))).not.toBe(jobId);
    await shown(page.follower, 'completed');
    expect((await world.get(statusOf(jobId))).status).toBe(404);
  });

  test('that is cancelled before its answer ends the job that it made', async () => {
    const storage = tabStorage();
    // On its way, whatever becomes of the page.
    const late = async (go: (over: RequestInit) => Promise<Response>) => {
      await pause(60);
      return go({ signal: null });
    };
    const page = world.page({ storage }, ({ method }, go) => (method === 'PUT' ? late(go) : undefined));
    const { follower, seen, requests } = page;
    follower.subscribe(nothing);
    const jobId = follower.submit(prompt('Cancelled at once [simulate seconds=60]'));
    await pause(5);
    follower.cancel();
    expect(seen()).toEqual({ ...IDLE, jobId, status: 'cancelled' });
    expect(storage.kept()).toBeNull();
    // The cancel that overtook it found nothing; the next one does.
    await until(() => requests.filter((request) => request === 'POST cancel/').length === 2);
    await until(async () => (await world.get(statusOf(jobId))).body.status === 'cancelled');
    expect(requests).toEqual(['PUT', 'POST cancel/', 'POST cancel/']);
    expect(seen()).toEqual({ ...IDLE, jobId, status: 'cancelled' });
  });

  test('of a page whose token can not be had says why', async () => {
    const client = createClient({
      baseUrl: 'http://127.0.0.1:9',
      token: () => Promise.reject(new Error('Signed out.')),
    });
    const follower = jobFollower({ client: () => client, key: 'job', storage: tabStorage() });
    follower.submit(prompt('Signed out'));
    await until(() => !follower.getSnapshot().isPending);
    expect(follower.getSnapshot().error).toMatchObject({ code: 'unexpected', message: 'Signed out.' });
  });
});

describe.concurrent('a job that is gone', () => {
  test('before its page is back leaves an idle page, which says so', async () => {
    const storage = tabStorage();
    storage.setItem('job', JSON.stringify({ jobId: newJobId() }));
    const { follower, seen } = world.page({ storage });
    follower.subscribe(nothing);
    await until(() => !seen().isPending);
    expect(seen()).toEqual({ ...IDLE, error: expect.objectContaining({ code: 'job_not_found', status: 404 }) });
    expect(storage.kept()).toBeNull();
  });

  test('when one asks for its end', async () => {
    const storage = tabStorage();
    const { follower, seen } = world.page({ storage });
    const leave = follower.subscribe(nothing);
    const jobId = follower.submit(prompt('Deleted [simulate seconds=60]'));
    await shown(follower, 'processing');
    leave();
    expect((await world.send('DELETE', `/api/llm/jobs/${jobId}/`)).status).toBe(200);
    follower.cancel();
    await shown(follower, 'idle');
    expect([seen().error?.code, storage.kept()]).toEqual(['job_not_found', null]);
  });
});

describe.concurrent('the time limit', () => {
  test('leaves a job that can be gone on with, also by a reload', async () => {
    const storage = tabStorage();
    const { follower, seen } = world.page({ storage, timeoutMs: 300 });
    follower.subscribe(nothing);
    const jobId = follower.submit(prompt('Slow [simulate seconds=1]'));
    await until(() => !seen().isPending);
    expect(seen()).toMatchObject({ jobId, error: { code: 'wait_timeout', jobId } });
    expect(storage.kept()).toEqual({ jobId });
    const { status, progress, text } = seen();
    follower.resume();
    follower.resume();
    expect(seen()).toMatchObject({ status, progress, text, error: undefined, isPending: true });
    await until(() => !seen().isPending);
    expect(seen().error?.code).toBe('wait_timeout');

    const reloaded = world.page({ storage });
    reloaded.follower.subscribe(nothing);
    await shown(reloaded.follower, 'completed');
  });

  test('does not keep one from cancelling', async () => {
    const { follower, seen } = world.page({ timeoutMs: 600 });
    follower.subscribe(nothing);
    follower.submit(prompt('Too slow [simulate seconds=60]'));
    await until(() => seen().error?.code === 'wait_timeout');
    follower.cancel();
    await shown(follower, 'cancelled');
    expect(seen()).toMatchObject({ error: undefined, isPending: false });
  });
});

describe.concurrent('a cancel', () => {
  test('that does not get through says so, while the job goes on', async () => {
    const { follower, seen } = world.page({}, ({ path }) =>
      path.endsWith('cancel/')
        ? Promise.resolve(Response.json({ error: 'No.', code: 'forbidden' }, { status: 403 }))
        : undefined,
    );
    follower.subscribe(nothing);
    follower.submit(prompt('Goes on [simulate seconds=0.3]'));
    await shown(follower, 'processing');
    follower.cancel();
    await until(() => seen().error?.code === 'forbidden');
    expect(seen()).toMatchObject({ isPending: true });
    await shown(follower, 'completed');
    expect(seen().error).toBeUndefined();
  });
});

describe.concurrent('reset', () => {
  test('forgets the job, which goes on', async () => {
    const storage = tabStorage();
    const { follower, seen, requests } = world.page({ storage });
    follower.subscribe(nothing);
    const jobId = follower.submit(prompt('Forgotten [simulate seconds=0.3]'));
    await shown(follower, 'processing');
    follower.reset();
    expect([seen(), storage.kept()]).toEqual([IDLE, null]);
    expect(await world.poll(jobId)).toMatchObject({ status: 'completed' });
    expect([seen(), requests]).toEqual([IDLE, ['PUT', 'GET stream/']]);
  });

  test('while it is submitted leaves the way free for another one', async () => {
    const storage = tabStorage();
    const { follower, seen } = world.page({ storage });
    follower.subscribe(nothing);
    const first = follower.submit(prompt('Forgotten at once'));
    follower.reset();
    const second = follower.submit(prompt('Instead'));
    await shown(follower, 'completed');
    expect(seen().jobId).toBe(second);
    expect(await world.poll(first)).toMatchObject({ status: 'completed' });
    expect([seen().jobId, storage.kept()]).toEqual([second, null]);
  });
});
