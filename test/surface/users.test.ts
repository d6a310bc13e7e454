/** `DELETE /api/llm/users/{user_id}/`, and the line that an administrator leaves behind. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { callsOf, cancelOf, LIST, openApp, type Reply, resultOf, statusOf, streamOf } from '../support/app.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

const ADMIN: Principal = { tenant: 'default', user: 'root', scopes: ['admin'] };
const userOf = (name: string) => `/api/llm/users/${encodeURIComponent(name)}/`;

let world: CoreWorld;
beforeEach(() => {
  world = coreWorld();
});
afterEach(() => world.close());

const as = (principal: Principal) => callsOf(appOver(world, { authenticate: alwaysAs(principal) }));
const erase = (principal: Principal, name: string, query = ''): Promise<Reply> =>
  as(principal).send('DELETE', `${userOf(name)}${query}`);
const submitAs = (user: string, prompt: string) =>
  world.service.submit(
    { tenant: 'default', user, scopes: [] },
    { jobType: 'general_llm_request', model: 'simulated', input: { prompt } },
  );
const audits = () => world.lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'audit');

describe('a user', () => {
  test('is erased by an administrator, and by themself; repeated, there is nothing left', async () => {
    for (const who of [ADMIN, ADA]) {
      const jobs = [await world.submit('One.'), await world.submit('Two.')];
      expect(await erase(who, 'ada')).toMatchObject({
        status: 200,
        body: { success: true, user_id: 'ada', deleted: 2, complete: true },
      });
      for (const { id } of jobs) expect((await as(ADA).get(statusOf(id))).status).toBe(404);
      expect((await erase(who, 'ada')).body).toEqual({ success: true, user_id: 'ada', deleted: 0, complete: true });
    }
    expect(audits()).toMatchObject([
      { act: 'erase-user', actor: 'root', owner: 'ada', tenant: 'default' },
      { act: 'erase-user', actor: 'root', owner: 'ada' },
    ]);
  });

  test('is not erased by another one: 403, and nothing is changed', async () => {
    const job = await world.submit();
    const { status, body } = await erase({ ...ADA, user: 'eve' }, 'ada');
    expect([status, body.code]).toEqual([403, 'forbidden']);
    expect(body.error).toMatch(/administrator/);
    expect((await world.read(job)).deletedAt).toBeUndefined();
    expect(world.store.calls('list')).toBe(0);
  });

  test.each(['ada@example.org', 'a/b', 'ä 漢 👩‍🔬', '100%', 'a?b#c', '%2F', 'auth0|5f7c', '*', 'x'.repeat(300)])(
    'can be called %s',
    async (name) => {
      await submitAs(name, 'Mine.');
      const other = await submitAs(`${name}.`, 'Not mine.');
      expect((await erase(ADMIN, name)).body).toMatchObject({ user_id: name, deleted: 1, complete: true });
      expect((await world.store.get(other.job))?.job.deletedAt).toBeUndefined();
    },
  );

  test.each(['x'.repeat(301), 'a\u0000b', 'a\nb', '\u007f', '\u2028'])('cannot be called %j: 400', async (name) => {
    const { status, body } = await erase(ADMIN, name);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(body.details).toEqual([{ path: 'user_id', message: 'must be 1 to 300 visible characters' }]);
  });

  test('with many jobs is erased by several requests, none of which counts a job twice', async () => {
    for (let n = 0; n < 520; n++) await submitAs('ada', `Job ${n}.`);
    const first = await erase(ADMIN, 'ada');
    expect(first.body).toMatchObject({ deleted: 500, complete: false, next_cursor: expect.any(String) });
    const cursor = `?cursor=${first.body.next_cursor}`;
    expect((await erase(ADMIN, 'ada', cursor)).body).toEqual({
      ...{ success: true, user_id: 'ada', deleted: 20, complete: true },
    });
    expect((await erase(ADMIN, 'ada', cursor)).body).toMatchObject({ deleted: 0, complete: true });
    const wrong = await erase(ADMIN, 'eve', cursor);
    expect([wrong.status, wrong.body.details]).toEqual([400, [expect.objectContaining({ path: 'cursor' })]]);
  });

  test('on a store that gives no answer: 503, to be repeated', async () => {
    await world.submit();
    world.store.fail('list', 'before');
    const { status, headers, body } = await erase(ADMIN, 'ada');
    expect([status, headers.get('Retry-After') ?? '1', body.code]).toEqual([503, '1', 'store_unavailable']);
    expect((await erase(ADMIN, 'ada')).body.deleted).toBe(1);
  });
});

test.each([
  ['?cursor=x', 'cursor'],
  ['?who=ada', 'who'],
])('%s is wrong', async (query, path) => {
  const { status, body } = await erase(ADMIN, 'ada', query);
  expect([status, body.details[0].path]).toEqual([400, path]);
});

test('the route of the local user works without authentication, other users are forbidden', async () => {
  const api = await openApp();
  await api.poll(await api.submit('Mine.'));
  expect((await api.send('DELETE', userOf('local'))).body).toMatchObject({ deleted: 1, complete: true });
  expect((await api.send('DELETE', userOf('ada'))).status).toBe(403);
  expect((await api.get(LIST)).body.jobs).toEqual([]);
  await api.close();
});

test("an administrator leaves one line for each act on another's job, and none on their own", async () => {
  const { id } = await world.submit();
  const admin = as(ADMIN);
  const acts: [string, () => Promise<unknown>][] = [
    ['read', () => admin.get(statusOf(id))],
    ['read', () => admin.get(resultOf(id))],
    ['list', () => admin.get(LIST)],
    ['list', () => admin.get(`${LIST}?ids=${id}`)],
    ['stream', () => admin.send('HEAD', streamOf(id))],
    ['cancel', () => admin.send('POST', cancelOf(id))],
    ['delete', () => admin.send('DELETE', `/api/llm/jobs/${id}/`)],
  ];
  for (const [act, call] of acts) {
    world.lines.length = 0;
    await world.clock.until(call());
    expect(audits()).toEqual([
      { severity: 'info', event: 'audit', act, actor: 'root', tenant: 'default', job_id: id, owner: 'ada' },
    ]);
  }
  world.lines.length = 0;
  const own = await submitAs('root', 'Mine.');
  await admin.get(statusOf(own.job.id));
  await admin.get(LIST);
  await admin.send('POST', cancelOf(own.job.id));
  await admin.send('DELETE', `/api/llm/jobs/${own.job.id}/`);
  const ada = as(ADA);
  await ada.get(statusOf((await world.submit()).id));
  // Whoever finds nothing did nothing.
  await ada.get(statusOf(own.job.id));
  await admin.get(statusOf(id));
  expect(audits()).toEqual([]);
});
