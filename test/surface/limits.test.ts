/** How much each may ask for, over HTTP: which bucket a request is taken from, and what its client is told. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../infra/listen.ts';
import { readConfig } from '../../shared/config.ts';
import { asUser, bearer, cookies, type DoorWorld, OWNER, openDoorWorld, TENANT } from '../support/doors.ts';

const LIST = '/api/llm/jobs/';
const SUBMIT = '/api/llm/jobs/submit/';
const body = (prompt = 'Hello.') => ({
  job_type: 'general_llm_request',
  model_id: 'simulated',
  input_data: { prompt },
});
const LIMITS = { RATE_LIMITS: 'writes=60,reads=60,job-reads=120,strangers=60' };
/** The least that a bucket holds. */
const BURST = 20;

let world: DoorWorld;
let ada: Record<string, string>;
beforeEach(async () => {
  world = await openDoorWorld(LIMITS, { isLimited: true });
  ada = await asUser(world.issuers);
});
afterEach(() => world.close());

const get = (path: string, headers: Record<string, string> = {}) => world.send('GET', path, { headers });
const statusOf = (id: string) => `${LIST}${id}/status/`;

/** Asks until somebody is refused, and answers how often they were not, and the refusal. */
async function untilRefused(ask: () => ReturnType<DoorWorld['send']>, most = 1_000) {
  for (let n = 0; n < most; n++) {
    const reply = await ask();
    if (reply.status === 429) return { asked: n, refusal: reply };
  }
  throw new Error(`not refused in ${most} requests`);
}

const makeJob = async (headers = ada) => (await world.send('POST', SUBMIT, { headers, body: body() })).body.job_id;

describe('a principal', () => {
  test('is told what is left, and at the end when to come again, which is not too early', async () => {
    const first = await get(LIST, ada);
    expect(first.headers.get('RateLimit-Policy')).toBe('"reads";q=60;w=60');
    expect(first.headers.get('RateLimit')).toBe('"reads";r=19;t=1');
    const { asked, refusal } = await untilRefused(() => get(LIST, ada));
    expect(asked).toBe(BURST - 1);
    expect(refusal.body).toMatchObject({ success: false, code: 'rate_limited', error: expect.stringContaining('1 s') });
    expect(refusal.headers.get('RateLimit')).toBe('"reads";r=0;t=20');
    const waitMs = Number(refusal.headers.get('Retry-After')) * 1_000;
    expect(waitMs).toBe(1_000);
    await world.clock.advance(waitMs - 1);
    expect((await get(LIST, ada)).status).toBe(429);
    await world.clock.advance(1);
    expect((await get(LIST, ada)).status).toBe(200);
  });

  test('has a bucket of their own, another for what they write, and one for each job that they read', async () => {
    const [one, other] = [await makeJob(), await makeJob()];
    await untilRefused(() => get(LIST, ada));
    expect((await get(LIST, await asUser(world.issuers, { sub: 'bob' }))).status).toBe(200);
    expect((await get(LIST, await asUser(world.issuers, { org: 'umbrella' }))).status).toBe(200);
    expect((await get(LIST, bearer(world.apiKey))).status).toBe(200);
    expect((await world.send('POST', SUBMIT, { headers: ada, body: body() })).status).toBe(202);
    const { asked } = await untilRefused(() => get(statusOf(one), ada));
    expect(asked).toBe(30);
    expect((await get(statusOf(one.toUpperCase()), ada)).status).toBe(429);
    expect((await get(statusOf(other), ada)).status).toBe(200);
    await untilRefused(() => world.send('POST', SUBMIT, { headers: ada, body: body() }));
    expect((await get(statusOf(other), ada)).status).toBe(200);
  });

  test('who reads 200 jobs each 500 ms for a minute is never refused', async () => {
    const own = await openDoorWorld({}, { isLimited: true });
    const headers = await asUser(own.issuers);
    const ids: string[] = [];
    while (ids.length < 200) {
      const { job } = await own.service.submit(OWNER, {
        jobType: 'general_llm_request',
        model: 'simulated',
        input: { prompt: 'x' },
      });
      ids.push(job.id);
    }
    const answers = new Map<number, number>();
    // Every job is read ten times; one of them for a whole minute.
    for (let tick = 0; tick < 120; tick++) {
      for (const id of tick % 12 === 0 ? ids : ids.slice(0, 1)) {
        const { status } = await own.send('GET', statusOf(id), { headers });
        answers.set(status, (answers.get(status) ?? 0) + 1);
      }
      await own.clock.advance(500);
    }
    expect([...answers]).toEqual([[200, 2_110]]);
    await own.close();
  });

  test('who guesses ids is refused, also where they would be right; after a while no more', async () => {
    const id = await makeJob();
    const { asked } = await untilRefused(() => get(statusOf(crypto.randomUUID()), ada));
    expect(asked).toBeLessThanOrEqual(BURST + 1);
    const refusal = await get(statusOf(id), ada);
    expect(refusal.status).toBe(429);
    await world.clock.advance(Number(refusal.headers.get('Retry-After')) * 1_000);
    expect((await get(statusOf(id), ada)).status).toBe(200);
  });

  test('gets no bucket for what can be no id', async () => {
    const { asked } = await untilRefused(() => get(statusOf(`${Math.random()}${'x'.repeat(5_000)}`), ada));
    expect(asked).toBeLessThanOrEqual(BURST);
    // Each was taken from the bucket of all reads.
    expect((await get(LIST, ada)).status).toBe(429);
  });
});

describe('a batch', () => {
  const batch = (jobs: number) =>
    world.send('POST', `${LIST}batch/`, { headers: ada, body: { jobs: Array.from({ length: jobs }, () => body()) } });

  test('costs its jobs, which are paid off afterwards', async () => {
    expect((await batch(50)).status).toBe(202);
    const refusal = await world.send('POST', SUBMIT, { headers: ada, body: body() });
    expect(refusal.status).toBe(429);
    // 30 more than the bucket held, and one for the next.
    expect(refusal.headers.get('Retry-After')).toBe('31');
    const before = await world.changes();
    expect((await batch(2)).status).toBe(429);
    expect(await world.changes()).toEqual(before);
  });

  test('that was refused is taken when it was told to come again, whichever of its two prices was too high', async () => {
    for (const held of [0, 1]) {
      await world.clock.advance(600_000);
      for (let n = 0; n < BURST - held; n++) await world.send('POST', SUBMIT, { headers: ada, body: body() });
      const refusal = await batch(3);
      expect([held, refusal.status]).toEqual([held, 429]);
      await world.clock.advance(Number(refusal.headers.get('Retry-After')) * 1_000);
      expect([held, (await batch(3)).status]).toEqual([held, 202]);
    }
  });
});

test('a job token that leaked does not use up what its user may do, nor what they may read of that job', async () => {
  const { body: submitted } = await world.send('POST', SUBMIT, { headers: ada, body: body() });
  const leaked = bearer(submitted.job_token);
  const path = statusOf(submitted.job_id);
  await untilRefused(() => get(path, leaked));
  await untilRefused(() => world.send('POST', `${LIST}${submitted.job_id}/cancel/`, { headers: leaked }));
  await untilRefused(() => get(LIST, leaked));
  expect((await get(path, ada)).status).toBe(200);
  expect((await get(LIST, ada)).status).toBe(200);
  expect((await world.send('POST', SUBMIT, { headers: ada, body: body() })).status).toBe(202);
});

describe('whoever is refused at the door', () => {
  test.each<[string, () => Promise<Record<string, string>>, string]>([
    ['without credentials', async () => ({}), LIST],
    ['with ones that are not known', async () => bearer('x'), LIST],
    ['with a token of no tenant', () => asUser(world.issuers, { org: undefined }), LIST],
    ['with a token in the URL', async () => ({}), `${LIST}?access_token=x`],
    ['where no route is', async () => ({}), '/nowhere'],
    ['where everybody may', async () => ({}), '/openapi.json'],
  ])('%s is counted by their address', async (_, headers, path) => {
    const mine = await headers();
    expect((await untilRefused(() => get(path, mine))).asked).toBe(BURST);
    const { status, headers: told } = await get('/docs');
    expect([status, told.get('RateLimit-Policy')]).toEqual([429, '"strangers";q=60;w=60']);
    expect((await get(LIST, ada)).status, 'who is known is not').toBe(200);
  });

  test('for a page that is not ours is counted as who they are', async () => {
    const session = cookies(await world.issuers.token('session', { org: TENANT }), { csrf: false });
    const { asked } = await untilRefused(() => world.send('POST', SUBMIT, { headers: session, body: body() }));
    expect(asked).toBe(BURST);
  });
});

describe('an address', () => {
  /** How often somebody is refused who says each time that they come from elsewhere. */
  async function spoofed(trusted: string, forwarded: (n: number) => string): Promise<number> {
    const own = await openDoorWorld({ ...LIMITS, TRUSTED_PROXIES: trusted }, { isLimited: true });
    const { baseUrl, close } = await listen(own.app.fetch, { host: '127.0.0.1', port: 0 });
    let refused = 0;
    for (let n = 0; n < BURST + 5; n++) {
      const response = await fetch(`${baseUrl}${LIST}`, { headers: { 'X-Forwarded-For': forwarded(n) } });
      await response.arrayBuffer();
      if (response.status === 429) refused += 1;
    }
    await close();
    await own.close();
    return refused;
  }

  test.each<[string, string, (n: number) => string, number]>([
    ['no proxy: what it says counts for nothing', '0', (n) => `10.0.0.${n}`, 5],
    ['one proxy: what the client wrote before it counts for nothing', '1', (n) => `10.0.0.${n}, 192.0.2.1`, 5],
    ['one proxy: it tells clients apart', '1', (n) => `192.0.2.1, 10.0.0.${n}`, 0],
    ['two proxies: the outer one knows', '2', (n) => `10.0.0.${n}, 192.0.2.1, 10.9.9.${n}`, 5],
    ['two proxies: the outer one tells clients apart', '2', (n) => `10.0.0.${n}, 192.0.2.1`, 0],
    ['IPv6: a network is one client', '1', (n) => `2001:db8:1:2:${n + 1}::1`, 5],
    ['IPv6: however it is written', '1', (n) => (n % 2 ? '2001:DB8:0:0:0:0:0:1' : '2001:db8::2'), 5],
    ['IPv6: another network is another one', '1', (n) => `2001:db8:1:${n}::1`, 0],
    ['IPv4 in IPv6 is the same', '1', (n) => (n % 2 ? '::ffff:192.0.2.1' : '192.0.2.1'), 5],
    ['what is no address is one and the same', '1', (n) => `nobody-${n}`, 5],
  ])('%s', async (_, trusted, forwarded, refused) => {
    expect(await spoofed(trusted, forwarded)).toBe(refused);
  });
});

test('there are none where everybody is one local user, unless they are set', () => {
  expect(readConfig({}).rateLimits).toBeUndefined();
  expect(readConfig({ AUTH_MODE: 'none' }).rateLimits).toBeUndefined();
  expect(readConfig({ AUTH_MODE: 'none', RATE_LIMITS: 'reads=5' }).rateLimits).toMatchObject({ reads: 5 });
  expect(readConfig({ AUTH_MODE: 'api-key' }).rateLimits).toMatchObject({ reads: 1_200, jobReads: 240 });
  expect(readConfig({ AUTH_MODE: 'api-key', RATE_LIMITS: 'off' }).rateLimits).toBeUndefined();
});
