/** Issuers that are down, change their keys or are somebody else; tokens of the emulator; who may push to us. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import { isSame } from '../../shared/http/cookies.ts';
import { onlyInvokers } from '../../shared/http/doors.ts';
import { asUser, bearer, cookies, type DoorWorld, openDoorWorld, TENANT } from '../support/doors.ts';
import { type Claims, PUSH_AUDIENCE, PUSHER, sign, signingKey } from '../support/issuers.ts';
import { virtualClock } from '../support/virtual-clock.ts';

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) };
});

let world: DoorWorld;
beforeEach(async () => {
  world = await openDoorWorld();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

const LIST = '/api/llm/jobs/';
const list = (headers: Record<string, string>) => world.send('GET', LIST, { headers });
const asBob = async (over: Claims = {}) => bearer(await world.issuers.token('oidc', { org: TENANT, ...over }));
const keyRequests = () => world.issuers.server.asked.filter((url) => url === '/keys').length;

/** The library counts real time: how long keys are good, and when they may be fetched again. */
const passRealTime = (ms: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });

describe('an OIDC issuer', () => {
  test('that is down makes it 503 with a time to come again, tells the operator, and is asked again', async () => {
    const { server } = world.issuers;
    server.down(true);
    const { status, headers, body } = await list(await asBob());
    expect([status, body.code, headers.get('Retry-After')]).toEqual([503, 'auth_unavailable', '5']);
    expect(world.lines.filter((line) => line.includes('auth_unavailable'))).toHaveLength(1);
    expect((await list(await asUser(world.issuers))).status, 'others come in').toBe(200);
    server.down(false);
    expect((await list(await asBob())).status).toBe(200);
    expect(server.asked).toContain('/.well-known/openid-configuration');
  });

  test('whose discovery document is of another one is not believed', async () => {
    const { server } = world.issuers;
    server.calls('https://evil.example');
    expect((await list(await asBob())).status).toBe(503);
    server.calls(undefined);
    expect((await list(await asBob())).status).toBe(200);
  });

  test('may change its keys: the new one is taken, the old one no more', async () => {
    const { server, keys, claims } = world.issuers;
    expect((await list(await asBob())).status).toBe(200);
    const next = await signingKey('oidc-2', 'ES256');
    server.rotate([next]);
    passRealTime(31_000);
    expect((await list(bearer(await sign(claims.oidc({ org: TENANT }), next)))).status).toBe(200);
    const old = await sign(claims.oidc({ org: TENANT, jti: 'another' }), keys.oidc);
    expect((await list(bearer(old))).body.reason).toBe('unknown');
  });

  test('is not asked again for each key that nobody knows', async () => {
    const { keys, claims } = world.issuers;
    expect((await list(await asBob())).status).toBe(200);
    passRealTime(31_000);
    const before = keyRequests();
    for (let n = 0; n < 100; n++) {
      const token = await sign(claims.oidc({ org: TENANT, jti: `${n}` }), keys.stranger, { kid: `unknown-${n}` });
      expect((await list(bearer(token))).status).toBe(401);
    }
    expect(keyRequests() - before).toBe(1);
  });

  test('is not asked for a token that was verified a moment ago, until that has expired', async () => {
    const mine = await asBob();
    expect((await list(mine)).status).toBe(200);
    world.issuers.server.down(true);
    passRealTime(3_600_000);
    expect((await list(mine)).status).toBe(200);
    await world.clock.advance(300_000);
    expect((await list(mine)).status).toBe(503);
  });

  test('knows its own users: two by one name at two issuers are two', async () => {
    const body = { job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'Mine.' } };
    const { body: job } = await world.send('POST', `${LIST}submit/`, { headers: await asBob({ sub: 'ada' }), body });
    const path = `${LIST}${job.job_id}/status/`;
    expect((await world.send('GET', path, { headers: await asBob({ sub: 'ada' }) })).status).toBe(200);
    expect((await world.send('GET', path, { headers: await asUser(world.issuers, { sub: 'ada' }) })).status).toBe(404);
  });
});

test('tenants and scopes in claims that are not configured count for nothing', async () => {
  const smuggled = {
    ...{ tenant: 'umbrella', tenant_id: 'umbrella', org_id: 'umbrella', firebase: { tenant: 'umbrella' } },
    ...{ scopes: ['admin'], roles: ['admin'], admin: true, jobId: '*', job_id: '*', user: 'firebase:bob' },
    ...{ 'org.': 'umbrella', __proto__: { org: 'umbrella' } },
  };
  const principalOf = async (own: DoorWorld, claims: Claims) =>
    own.doors.authenticate(
      new Request('http://localhost/', { headers: bearer(await own.issuers.token('firebase', claims)) }),
    );
  const mine = { user: 'firebase:ada', scopes: ['jobs:read', 'jobs:write'] };
  expect(await principalOf(world, { ...smuggled, org: TENANT })).toMatchObject({
    principal: { tenant: TENANT, ...mine },
  });
  expect(await principalOf(world, { org: TENANT, scope: 'root superuser Admin' })).toMatchObject({
    principal: { scopes: [] },
  });
  const plain = await openDoorWorld({ TENANT_CLAIM: '', SCOPES_CLAIM: '' });
  expect(await principalOf(plain, { ...smuggled, org: 'umbrella', scope: 'admin' })).toMatchObject({
    principal: { tenant: 'default', ...mine },
  });
  await plain.close();
});

describe("the auth emulator's tokens, which nobody signs,", () => {
  const unsigned = (claims: Claims) => new UnsecuredJWT(claims).encode();
  const claims = (own: DoorWorld, over: Claims = {}) => own.issuers.claims.firebase({ org: TENANT, ...over });

  test('are taken only where the emulator is named', async () => {
    expect((await list(bearer(unsigned(claims(world))))).body.reason).toBe('unknown');
    const own = await openDoorWorld({ FIREBASE_AUTH_EMULATOR_HOST: 'localhost:9099' });
    const status = async (token: string) => (await own.send('GET', LIST, { headers: bearer(token) })).status;
    expect(await status(unsigned(claims(own)))).toBe(200);
    expect(await status(unsigned(claims(own, { aud: 'other' })))).toBe(401);
    expect(await status(unsigned(claims(own, { exp: 1 })))).toBe(401);
    expect(await status(unsigned(own.issuers.claims.oidc({ org: TENANT })))).toBe(401);
    expect(await status(await own.issuers.token('firebase', { org: TENANT }))).toBe(401);
    await own.close();
  });

  test.each([
    { K_SERVICE: 'submit', AUTH_MODE: 'firebase', INVOKERS: 'iam', GOOGLE_CLOUD_PROJECT: 'p' },
    { NODE_ENV: 'production' },
  ])('never there: %o', (environment) => {
    const emulated = { ...environment, FIREBASE_AUTH_EMULATOR_HOST: 'localhost:9099' };
    expect(() => readConfig(emulated)).toThrow('FIREBASE_AUTH_EMULATOR_HOST must not be set');
  });
});

describe('secrets', () => {
  test('are compared as digests, in constant time, of whatever length they are', () => {
    const spy = vi.mocked(timingSafeEqual);
    spy.mockClear();
    expect(isSame('secret', 'secret')).toBe(true);
    expect(isSame('secret', 'secret!')).toBe(false);
    expect(isSame('', 'secret')).toBe(false);
    expect(spy.mock.calls.flat().map((digest) => digest.byteLength)).toEqual([32, 32, 32, 32, 32, 32]);
  });

  test('of both kinds that we hold ourselves: the value of a page, an API key', async () => {
    const spy = vi.mocked(timingSafeEqual);
    spy.mockClear();
    const session = await world.issuers.token('session', { org: TENANT });
    const id = crypto.randomUUID();
    await world.send('DELETE', `${LIST}${id}/`, { headers: cookies(session) });
    expect(spy).toHaveBeenCalledTimes(1);
    expect((await list(bearer(world.apiKey))).status).toBe(200);
    expect(spy.mock.calls.length).toBeGreaterThan(1);
    for (const [a, b] of spy.mock.calls) expect([a.byteLength, b.byteLength]).toEqual([32, 32]);
  });
});

describe('a function that only Google calls', () => {
  const settings = { invokers: [PUSHER, 'scheduler@walls.iam.gserviceaccount.com'], invokerAudiences: [PUSH_AUDIENCE] };

  async function push(headers: Record<string, string>, over: Partial<typeof settings> = {}) {
    let calls = 0;
    const { clock, log, issuers } = world;
    const guarded = onlyInvokers({ ...settings, ...over }, { clock, log, keysAt: issuers.keysAt });
    const handle = guarded(async () => {
      calls += 1;
      return new Response(null, { status: 204 });
    });
    const { status } = await handle(new Request('https://worker.example/', { method: 'POST', headers }));
    return [status, calls];
  }
  const google = async (over: Claims = {}) => bearer(await world.issuers.token('google', over));

  test('takes what its service accounts send', async () => {
    expect(await push(await google())).toEqual([204, 1]);
    expect(await push(await google({ email: settings.invokers[1] }))).toEqual([204, 1]);
    expect(await push(await google({ iss: 'accounts.google.com' }))).toEqual([204, 1]);
  });

  test.each<[string, number, () => Promise<Record<string, string>>]>([
    ['no token', 401, async () => ({})],
    ['another audience', 401, () => google({ aud: 'https://other.example' })],
    ['no audience', 401, () => google({ aud: undefined })],
    ['another account', 403, () => google({ email: 'evil@evil.iam.gserviceaccount.com' })],
    ['an address that is not verified', 401, () => google({ email_verified: false })],
    ['an address that is verified, it says', 401, () => google({ email_verified: 'true' })],
    ['no address', 401, () => google({ email: undefined })],
    ['addresses in a list', 401, () => google({ email: [PUSHER] })],
    ['its address in capitals', 403, () => google({ email: PUSHER.toUpperCase() })],
    ['an old token', 401, () => google({ exp: 1 })],
    ['another issuer', 401, () => google({ iss: 'https://accounts.google.com.evil.example' })],
    [
      'a key of its own',
      401,
      async () => bearer(await sign(world.issuers.claims.google(), world.issuers.keys.stranger)),
    ],
    ['no key', 401, async () => bearer(new UnsecuredJWT(world.issuers.claims.google()).encode())],
    ["a user's token", 401, () => asUser(world.issuers, { email: PUSHER, email_verified: true, aud: PUSH_AUDIENCE })],
    ['an API key', 401, async () => bearer(`llmj_${randomBytes(36).toString('hex')}`)],
  ])('refuses %s, and does nothing', async (_, status, headers) => {
    expect(await push(await headers())).toEqual([status, 0]);
    expect(world.lines.filter((line) => line.includes('invoker-refused'))).toHaveLength(1);
  });

  test('asks for another delivery while it cannot be known who sends', async () => {
    const { issuers } = world;
    const keysAt = () => issuers.keysAt(`${issuers.server.issuer}/keys`);
    issuers.server.down(true);
    const handle = onlyInvokers(settings, { clock: virtualClock(), log: world.log, keysAt })(
      async () => new Response(),
    );
    const response = await handle(new Request('https://worker.example/', { method: 'POST', headers: await google() }));
    expect(response.status).toBe(503);
    expect(world.lines.join()).toContain('invoker-unknown');
  });
});
