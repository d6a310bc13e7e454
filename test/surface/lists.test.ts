/** Lists over HTTP: filters, cursors, jobs by their ids; what is refused, and who sees what. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { callsOf, LIST, type Reply, statusOf } from '../support/app.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

const SIMULATED_ID = '6e1b493d-10ca-4796-8088-6e8ec9e4f974';
const BATCH_ID = '7a1f3a5e-1111-4222-8333-444455556666';
const idsIn = ({ body }: Reply): string[] => body.jobs.map((view: { job_id: string }) => view.job_id);

let world: CoreWorld;
let jobs: Job[];
let foreign: Job;
beforeAll(async () => {
  world = coreWorld();
  jobs = [];
  for (let n = 0; n < 7; n++) {
    const more =
      n % 2 ? { tags: ['odd', 'all'], questionId: 'q-1', projectId: '17' } : { tags: ['all'], batchId: BATCH_ID };
    jobs.push(await world.submit(`Job ${n}.`, more));
    await world.clock.advance(1_000);
  }
  await world.clock.until(world.run(jobs[0] as Job));
  foreign = (
    await world.service.submit(
      { ...ADA, user: 'bob' },
      { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'x' }, tags: ['all'], batchId: BATCH_ID },
    )
  ).job;
});
afterAll(() => world.close());

const as = (over: Partial<Principal>) => callsOf(appOver(world, { authenticate: alwaysAs({ ...ADA, ...over }) }));
const get = (query: string, over: Partial<Principal> = {}) => as(over).get(`${LIST}?${query}`);
const newest = (wanted: (n: number) => boolean) =>
  jobs
    .filter((_, n) => wanted(n))
    .map(({ id }) => id)
    .reverse();
const timeOf = (n: number, offsetMs = 0) => new Date((jobs[n]?.createdAt ?? 0) + offsetMs).toISOString();

async function expectWrong(reply: Reply, path: string, words: string): Promise<void> {
  expect([reply.status, reply.body.code]).toEqual([400, 'invalid_request']);
  expect(reply.body.details).toEqual([{ path, message: expect.stringContaining(words) }]);
}

describe('a list', () => {
  test('shows each job as its own status does, by page and by ids', async () => {
    const views = await Promise.all(jobs.map(async ({ id }) => (await as({}).get(statusOf(id))).body));
    expect((await get('limit=100')).body.jobs).toEqual([...views].reverse());
    expect((await get(`ids=${jobs.map(({ id }) => id).join()}`)).body.jobs).toEqual(views);
  });

  test.each<[string, (n: number) => boolean]>([
    ['tag=odd', (n) => n % 2 === 1],
    ['tag=od', () => false],
    ['question_id=q-1', (n) => n % 2 === 1],
    ['project_id=17', (n) => n % 2 === 1],
    ['project_id=1', () => false],
    [`batch_id=${BATCH_ID}`, (n) => n % 2 === 0],
    [`batch_id=${BATCH_ID.toUpperCase()}`, (n) => n % 2 === 0],
    ['model=simulated', () => true],
    ['model=Simulated', () => true],
    [`model=${SIMULATED_ID.toUpperCase()}`, () => true],
    ['model=gpt-4', () => false],
    ['status=completed', (n) => n === 0],
    ['status=pending&tag=odd&question_id=q-1&model=simulated&job_type=general_llm_request', (n) => n % 2 === 1],
    ['tag=odd&status=completed', () => false],
  ])('?%s shows what it says', async (query, wanted) => {
    const reply = await get(query);
    expect([reply.status, idsIn(reply)]).toEqual([200, newest(wanted)]);
    expect(reply.body).not.toHaveProperty('next_cursor');
  });

  test('between two instants shows what was created strictly between them', async () => {
    expect(idsIn(await get(`created_after=${timeOf(2)}&created_before=${timeOf(5)}`))).toEqual(
      newest((n) => n === 3 || n === 4),
    );
    expect(idsIn(await get(`created_after=${timeOf(2, -1)}`))).toEqual(newest((n) => n >= 2));
    expect(idsIn(await get(`created_before=${timeOf(2, 1)}`))).toEqual(newest((n) => n <= 2));
    const inDelhi = new Date((jobs[2]?.createdAt ?? 0) + 5.5 * 3_600_000).toISOString().replace('Z', '%2B05:30');
    expect(idsIn(await get(`created_after=${inDelhi}`))).toEqual(newest((n) => n > 2));
  });

  test.each(['limit=3', 'limit=2&tag=all&status=pending'])('?%s is paged by cursor to its end', async (query) => {
    const paged: string[] = [];
    let pages = 0;
    for (let cursor = ''; ; pages += 1) {
      const reply = await get(query + cursor);
      paged.push(...idsIn(reply));
      if (reply.body.next_cursor === undefined || pages > 9) break;
      expect(reply.body.next_cursor).toMatch(/^[\w-]{20,200}$/);
      cursor = `&cursor=${reply.body.next_cursor}`;
    }
    expect(pages).toBe(2);
    expect(paged).toEqual(newest((n) => query === 'limit=3' || n > 0));
  });

  test('may be paged on with another limit, and from a page by offset', async () => {
    const { body } = await get('limit=2&offset=1');
    expect(idsIn({ body } as Reply)).toEqual(newest(() => true).slice(1, 3));
    const next = await get(`limit=3&cursor=${body.next_cursor}`);
    expect(idsIn(next)).toEqual(newest(() => true).slice(3, 6));
    expect(next.body).toMatchObject({ limit: 3, offset: 0 });
  });

  test('of a page that just fits has no next one', async () => {
    expect((await get('limit=7')).body).not.toHaveProperty('next_cursor');
    expect((await get('limit=6')).body).toHaveProperty('next_cursor');
  });
});

describe('a cursor is refused that', () => {
  const given = async (query = 'limit=2'): Promise<string> => (await get(query)).body.next_cursor;
  const WRONG = 'is no cursor of this list; take next_cursor';
  const spell = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

  test('is made up, cut, spelled otherwise or changed', async () => {
    const cursor = await given();
    const [createdAt, id, checksum] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const forged = [
      ...['', 'abc', '%00', 'null', '%F0%9F%A6%86', 'x'.repeat(5_000), spell(null), spell([]), spell({}), spell('x')],
      ...[cursor.slice(0, -1), cursor.slice(0, -4), cursor.slice(1), cursor.slice(0, 40), `${cursor}=`, `${cursor}A`],
      ...[`${cursor}%20`, cursor.toUpperCase(), `${cursor}${cursor}`],
      spell([createdAt + 1, id, checksum]),
      spell([createdAt, foreign.id, checksum]),
      spell([createdAt, id]),
      spell([createdAt, id, checksum, 1]),
      spell([createdAt, 'x', checksum]),
      spell([1e300, id, checksum]),
      spell([`${createdAt}`, id, checksum]),
      Buffer.from(JSON.stringify([createdAt, id, checksum], undefined, 1)).toString('base64url'),
    ];
    for (const text of forged) await expectWrong(await get(`limit=2&cursor=${text}`), 'cursor', WRONG);
    expect((await get(`limit=2&cursor=${cursor}`)).status).toBe(200);
  });

  test.each([
    ['tag=odd', 'tag=all'],
    ['tag=odd', 'limit=1'],
    ['limit=1', 'tag=odd'],
    ['question_id=q-1', 'tag=q-1'],
    ['status=pending', 'status=completed'],
    ['model=simulated', 'model=gpt-4'],
    [`batch_id=${BATCH_ID}`, `batch_id=${SIMULATED_ID}`],
    ['created_after=2020-01-01T00:00:00Z', 'created_after=2020-01-01T00:00:01Z'],
    ['created_after=2020-01-01T00:00:00Z', 'created_before=2020-01-01T00:00:00Z'],
    ['job_type=general_llm_request', 'job_type=review_colab'],
  ])('is of the list ?%s and used on ?%s', async (of, on) => {
    const cursor = await given(`${of}${of === 'limit=1' ? '' : '&limit=1'}`);
    expect((await get(`${of}&cursor=${cursor}`)).status).toBe(200);
    await expectWrong(await get(`${on}&cursor=${cursor}`), 'cursor', WRONG);
  });

  test("is another user's, another tenant's, or an administrator's", async () => {
    const cursor = await given();
    for (const other of [{ user: 'bob' }, { tenant: 'other' }, { scopes: ['admin' as const] }]) {
      await expectWrong(await get(`limit=2&cursor=${cursor}`, other), 'cursor', WRONG);
    }
    const all = await get('limit=2', { scopes: ['admin'] });
    expect(idsIn(all)[0]).toBe(foreign.id);
    await expectWrong(await get(`limit=2&cursor=${all.body.next_cursor}`), 'cursor', WRONG);
    const next = await get(`limit=2&cursor=${all.body.next_cursor}`, { scopes: ['admin'], user: 'eve' });
    expect(idsIn(next)).toEqual(newest(() => true).slice(1, 3));
  });

  test('stands beside an offset', async () => {
    await expectWrong(await get(`cursor=${await given()}&offset=0`), 'cursor', 'without offset');
  });
});

describe('jobs by their ids', () => {
  test('come in the order asked for, each once, with what is not found by name', async () => {
    const [first, third, fifth] = [jobs[0], jobs[2], jobs[4]] as [Job, Job, Job];
    const unknown = crypto.randomUUID();
    const asked = [fifth.id, unknown, first.id, foreign.id, third.id.toUpperCase(), fifth.id, unknown];
    const reply = await get(`ids=${asked.join(',')}`);
    expect([reply.status, idsIn(reply)]).toEqual([200, [fifth.id, first.id, third.id]]);
    expect(Object.keys(reply.body)).toEqual(['success', 'jobs', 'not_found', 'poll_after_ms']);
    expect(reply.body.not_found).toEqual([unknown, foreign.id]);
    for (const view of reply.body.jobs) expect(view).toEqual((await as({}).get(statusOf(view.job_id))).body);
    const [pending, , other] = reply.body.jobs;
    expect(reply.body.poll_after_ms).toBe(Math.min(pending.poll_after_ms, other.poll_after_ms));
    expect(pending.poll_after_ms).not.toBe(other.poll_after_ms);
    expect(reply.headers.get('Retry-After')).toBe(String(Math.ceil(reply.body.poll_after_ms / 1_000)));
  });

  test('that are all over need not be asked for again, and cost no second read', async () => {
    const [over] = jobs as [Job];
    await get(`ids=${over.id}`);
    const reads = world.store.calls('getMany') + world.store.calls('get');
    const reply = await get(`ids=${over.id}`);
    expect(world.store.calls('getMany') + world.store.calls('get')).toBe(reads);
    expect(Object.keys(reply.body)).toEqual(['success', 'jobs']);
    expect(reply.headers.get('Retry-After')).toBeNull();
    await get(`ids=${over.id},${jobs[1]?.id}`);
    expect(world.store.calls('getMany') + world.store.calls('get')).toBe(reads + 1);
  });

  test('are at most 50, and one that is none is named', async () => {
    const many = (count: number) => Array.from({ length: count }, () => crypto.randomUUID()).join(',');
    expect((await get(`ids=${many(50)}`)).body.not_found).toHaveLength(50);
    await expectWrong(await get(`ids=${many(51)}`), 'ids', 'at most 50 ids, separated by commas; it holds 51');
    await expectWrong(await get(`ids=${jobs[0]?.id},17`), 'ids', 'not one: "17"');
    for (const ids of ['', ',', `${jobs[0]?.id},`, '00000000-0000-0000-0000-000000000000', '..%2F', '%F0%9F%A6%86']) {
      await expectWrong(await get(`ids=${ids}`), 'ids', '1 to 50 job ids (UUIDs)');
    }
  });

  test.each(['limit=20', 'offset=0', 'status=pending', 'tag=all', 'created_after=2020-01-01T00:00:00Z'])(
    'go alone, not beside %s',
    async (other) => {
      const [name = ''] = other.split('=');
      await expectWrong(await get(`ids=${jobs[0]?.id}&${other}`), 'ids', `goes alone; leave out: ${name}`);
    },
  );

  test("show nothing of another user's, and everything of a tenant to its administrator", async () => {
    const bobs = await get(`ids=${jobs.map(({ id }) => id).join(',')}`, { user: 'bob' });
    expect([bobs.body.jobs, bobs.body.not_found]).toEqual([[], jobs.map(({ id }) => id)]);
    expect(bobs.body).not.toHaveProperty('poll_after_ms');
    const all = await get(`ids=${foreign.id},${jobs[0]?.id}`, { user: 'eve', scopes: ['admin'] });
    expect(idsIn(all)).toEqual([foreign.id, jobs[0]?.id]);
    expect((await get(`ids=${foreign.id}`, { tenant: 'other', scopes: ['admin'] })).body.jobs).toEqual([]);
  });
});

test.each([
  ['colour=red', 'colour', 'known fields: status, job_type, model, tag, created_after'],
  ['model=gpt-17', 'model', 'GET /api/llm/models/'],
  ['model=', 'model', 'must not be empty'],
  ['tag=', 'tag', 'must not be empty'],
  [`tag=${'x'.repeat(65)}`, 'tag', 'at most 64'],
  ['batch_id=x', 'batch_id', 'a UUID'],
  ['question_id=', 'question_id', 'must not be empty'],
  ['cursor=a&cursor=b', 'cursor', 'must be a string'],
  ['limit=0', 'limit', 'from 1 to 100'],
  ['limit=101', 'limit', 'from 1 to 100'],
  ...[
    '',
    'yesterday',
    '2025-01-18',
    '2025-01-18T10:15Z',
    '2025-01-18T10:15:30',
    '1737195330',
    '2025-02-30T10:15:30Z',
  ].map((time) => [`created_after=${time}`, 'created_after', 'as in RFC 3339, like 2025-01-18T10:15:30Z']),
  ['created_before=2025-01-18T10:15:30+02:00', 'created_before', 'write the + of an offset as %2B'],
  ['created_before=2025-13-18T10:15:30Z', 'created_before', 'as in RFC 3339'],
])('a list with ?%s is refused', async (query, path, words) => {
  await expectWrong(await get(query), path as string, words as string);
});

test('a page may be short where jobs have expired; the cursor leads on', async () => {
  const own = coreWorld();
  const api = callsOf(appOver(own));
  const made: Job[] = [];
  for (let n = 0; n < 4; n++) {
    made.push(await own.submit(`${n}`, { retentionMs: 60_000 }));
    await own.clock.advance(1);
  }
  for (const over of [made[3], made[2]] as [Job, Job]) await own.clock.until(own.run(over));
  const before = await api.get(`${LIST}?limit=2`);
  expect(idsIn(before)).toEqual([made[3]?.id, made[2]?.id]);
  await own.clock.advance(60_001);
  const short = await api.get(`${LIST}?limit=2`);
  expect([idsIn(short), short.body.next_cursor]).toEqual([[], before.body.next_cursor]);
  expect(idsIn(await api.get(`${LIST}?limit=2&cursor=${short.body.next_cursor}`))).toEqual([made[1]?.id, made[0]?.id]);
  expect((await api.get(`${LIST}?ids=${made[3]?.id}`)).body).toMatchObject({ jobs: [], not_found: [made[3]?.id] });
  own.close();
});
