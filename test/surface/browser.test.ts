/** What a browser is told: whose pages may call, with cookies or without, and what a page of ours may do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asUser, cookies, type DoorWorld, OWNER, openDoorWorld, TENANT } from '../support/doors.ts';

const PAGE = 'https://app.example';
const LIST = '/api/llm/jobs/';
const STATUS = `${LIST}${crypto.randomUUID()}/status/`;

let world: DoorWorld;
let session: string;
beforeAll(async () => {
  world = await openDoorWorld({ CORS_ORIGINS: PAGE, RATE_LIMITS: 'strangers=60' }, { isLimited: true });
  session = await world.issuers.token('session', { org: TENANT });
});
afterAll(() => world.close());

const preflight = (own: DoorWorld, origin: string) =>
  own.send('OPTIONS', LIST, { headers: { Origin: origin, 'Access-Control-Request-Method': 'DELETE' } });

describe('a page', () => {
  test('of a listed origin may call with cookies, and its preflight, without any, is kept', async () => {
    const { status, headers } = await preflight(world, PAGE);
    expect(status).toBe(204);
    expect(headers.get('Access-Control-Allow-Origin')).toBe(PAGE);
    expect(headers.get('Access-Control-Allow-Credentials')).toBe('true');
    expect(headers.get('Access-Control-Allow-Methods')).toContain('DELETE');
    expect(headers.get('Access-Control-Allow-Headers')).toContain('X-CSRFToken');
    expect(Number(headers.get('Access-Control-Max-Age'))).toBeGreaterThan(600);
    expect(headers.get('Vary')).toContain('Origin');
  });

  test.each([
    'https://evil.example',
    'https://app.example.evil.example',
    'http://app.example',
    'https://app.example:8443',
    'https://APP.example',
    'null',
    '*',
    'http://localhost:5173',
  ])('of %s may not', async (origin) => {
    for (const { headers } of [
      await preflight(world, origin),
      await world.send('GET', LIST, { headers: { ...(await asUser(world.issuers)), Origin: origin } }),
    ]) {
      expect(headers.get('Access-Control-Allow-Origin')).toBeNull();
      expect(headers.get('Access-Control-Allow-Credentials')).toBeNull();
    }
  });

  test('may not send cookies where no door takes them', async () => {
    const own = await openDoorWorld({ CORS_ORIGINS: PAGE, AUTH_MODE: 'firebase' });
    const { headers } = await preflight(own, PAGE);
    expect(headers.get('Access-Control-Allow-Origin')).toBe(PAGE);
    expect(headers.get('Access-Control-Allow-Credentials')).toBeNull();
    const answer = await own.send('GET', LIST, { headers: { ...cookies(session), Origin: PAGE } });
    expect([answer.status, answer.body.reason]).toEqual([401, 'missing']);
    await own.close();
  });

  test('of a listed origin can read why it was refused', async () => {
    const reader = await asUser(world.issuers, { scope: 'jobs:read' });
    const refusals = [
      await world.send('GET', LIST, { headers: { Origin: PAGE } }),
      await world.send('DELETE', LIST + crypto.randomUUID(), { headers: { ...reader, Origin: PAGE } }),
      await world.send('GET', STATUS, { headers: { ...(await asUser(world.issuers)), Origin: PAGE } }),
      await world.send('PATCH', LIST, { headers: { Origin: PAGE } }),
    ];
    for (let n = 0; n < 30; n++) refusals.push(await world.send('GET', LIST, { headers: { Origin: PAGE } }));
    const seen = refusals.map(({ status }) => status);
    expect([...new Set(seen)].sort()).toEqual([401, 403, 404, 405, 429]);
    for (const { status, headers } of refusals) {
      expect([status, headers.get('Access-Control-Allow-Origin')]).toEqual([status, PAGE]);
      const exposed = headers.get('Access-Control-Expose-Headers') ?? '';
      for (const name of ['Retry-After', 'RateLimit', 'WWW-Authenticate', 'X-Request-ID'])
        expect(exposed).toContain(name);
    }
    await world.clock.advance(60_000);
  });
});

describe('a write with a session cookie', () => {
  const write = (headers: Record<string, string>, base = '') =>
    world.send('DELETE', `${base}${LIST}${crypto.randomUUID()}/`, { headers });
  const paired = () => cookies(session);

  test.each<[string, () => Record<string, string>, string]>([
    ['without the pair', () => cookies(session, { csrf: false }), '403'],
    ['with the cookie alone', () => ({ Cookie: paired().Cookie ?? '' }), '403'],
    ['with the header alone', () => ({ ...cookies(session, { csrf: false }), 'X-CSRFToken': 'a-csrf-value' }), '403'],
    ['with another value', () => ({ ...paired(), 'X-CSRFToken': 'another-value' }), '403'],
    ['with two empty ones', () => ({ Cookie: `__session=${session}; csrftoken=`, 'X-CSRFToken': '' }), '403'],
    ['with the pair, from a page of others', () => ({ ...paired(), Origin: 'https://evil.example' }), '403'],
    ['with the pair, from nowhere', () => ({ ...paired(), Origin: 'null' }), '403'],
    ['with the pair', paired, '404'],
    ['with the pair, from a listed page', () => ({ ...paired(), Origin: PAGE }), '404'],
  ])('%s', async (_, headers, expected) => {
    const { status, body } = await write(headers());
    expect([String(status), body.code]).toEqual([expected, expected === '403' ? 'csrf_failed' : 'job_not_found']);
  });

  test('from our own page, which we see over HTTP behind a proxy that speaks TLS', async () => {
    expect((await write({ ...paired(), Origin: 'https://api.example' }, 'http://api.example')).status).toBe(404);
    expect((await write({ ...paired(), Origin: 'https://api.example:8443' }, 'http://api.example')).status).toBe(403);
  });

  test('needs nothing of it with credentials in a header', async () => {
    const { status } = await write({ ...(await asUser(world.issuers)), Origin: 'https://evil.example' });
    expect(status).toBe(404);
  });

  test('is prepared by a read, which hands out the value, once', async () => {
    const answer = await world.send('GET', LIST, { headers: cookies(session, { csrf: false }) });
    const given = answer.headers.get('Set-Cookie') ?? '';
    expect(given).toMatch(/^csrftoken=[\w-]{32}; Path=\/; Secure; SameSite=Lax$/);
    const value = given.slice('csrftoken='.length, given.indexOf(';'));
    const written = await write({ Cookie: `__session=${session}; csrftoken=${value}`, 'X-CSRFToken': value });
    expect(written.status).toBe(404);
    expect((await world.send('GET', LIST, { headers: paired() })).headers.get('Set-Cookie')).toBeNull();
    expect(
      (await world.send('GET', LIST, { headers: await asUser(world.issuers) })).headers.get('Set-Cookie'),
    ).toBeNull();
  });
});

test('data, streams and errors are no pages: nobody may frame, sniff or keep them', async () => {
  const headers = await asUser(world.issuers);
  const { job } = await world.service.submit(OWNER, {
    ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Mine.' } },
  });
  await world.clock.until(world.run(job));
  for (const path of [
    LIST,
    `${LIST}${job.id}/status/`,
    `${LIST}${job.id}/stream/`,
    '/nowhere',
    STATUS,
    '/openapi.json',
  ]) {
    const { headers: told } = await world.send('GET', path, { headers });
    expect([path, told.get('Content-Security-Policy')]).toEqual([path, "default-src 'none'; frame-ancestors 'none'"]);
    expect([path, told.get('X-Content-Type-Options')]).toEqual([path, 'nosniff']);
    expect([path, told.get('Cache-Control')]).toEqual([path, expect.stringContaining('no-store')]);
    expect([path, told.get('X-Frame-Options')]).toEqual([path, 'SAMEORIGIN']);
    expect([path, told.get('Referrer-Policy')]).toEqual([path, 'no-referrer']);
    expect([path, told.get('Strict-Transport-Security')]).toEqual([path, expect.stringContaining('max-age')]);
  }
});

test('the API reference works under a policy of its own, from its own files', async () => {
  const { status, headers, body } = await world.send('GET', '/docs');
  expect(status).toBe(200);
  const policy = headers.get('Content-Security-Policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain('script-src *');
  const files = [...body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
  expect(files.length).toBe(3);
  for (const file of files) expect([file, (await world.send('GET', file)).status]).toEqual([file, 200]);
  // Scripts of its own alone: none is written into the page.
  expect(body).not.toMatch(/<script(?! src)/);
});
