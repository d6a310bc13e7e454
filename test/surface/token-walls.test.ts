/** What a job token may not be used for, what does not count as a read, and doors that were not named. */
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { memoryRateLimiter } from '../../shared/adapters/memory-rate-limiter.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import { newApiKey } from '../../shared/http/api-keys.ts';
import { rateLimits } from '../../shared/http/limits.ts';
import { asUser, bearer, cookies, type DoorWorld, OWNER, openDoorWorld, TENANT } from '../support/doors.ts';
import { appOver } from './counted-app.ts';

let doors: DoorWorld;
afterEach(() => doors.close());

const PROMPT = { job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'A canary.' } };
const HOUR_MS = 3_600_000;

async function submitAs(headers: Record<string, string>, more: object = {}) {
  const { status, body } = await doors.send('POST', '/api/llm/jobs/submit/', { headers, body: { ...PROMPT, ...more } });
  expect(status).toBe(202);
  return body as { job_id: string; job_token: string };
}
const of = (id: string, what: string) => `/api/llm/jobs/${id}/${what}/`;

test('a reader makes tokens that read, and cancel nothing', async () => {
  doors = await openDoorWorld();
  const { job_id } = await submitAs(await asUser(doors.issuers));
  const reader = await asUser(doors.issuers, { scope: 'jobs:read' });
  const made = await doors.send('POST', of(job_id, 'token'), { headers: reader });
  expect(made.status).toBe(200);
  const token = bearer(made.body.job_token);
  expect((await doors.send('GET', of(job_id, 'status'), { headers: token })).status).toBe(200);
  const cancel = await doors.send('POST', of(job_id, 'cancel'), { headers: token });
  expect([cancel.status, cancel.body.scope]).toEqual([403, 'jobs:write']);
  expect((await doors.world.store.get({ tenant: TENANT, id: job_id }))?.job.state).toBe('pending');
});

test('who may only submit reads that job with its token, and no other', async () => {
  doors = await openDoorWorld();
  const writer = await asUser(doors.issuers, { scope: 'jobs:write' });
  const { job_id, job_token } = await submitAs(writer);
  expect((await doors.send('GET', of(job_id, 'status'), { headers: writer })).status).toBe(403);
  expect((await doors.send('GET', of(job_id, 'status'), { headers: bearer(job_token) })).status).toBe(200);
});

test('an administrator who may do nothing else by name may do everything, but not in the name of another', async () => {
  doors = await openDoorWorld();
  const { job_id } = await submitAs(await asUser(doors.issuers));
  const admin = await asUser(doors.issuers, { sub: 'root', scope: 'admin' });
  expect((await doors.send('GET', of(job_id, 'status'), { headers: admin })).status).toBe(200);
  expect((await doors.send('POST', of(job_id, 'token'), { headers: admin })).status).toBe(404);
  expect((await doors.send('POST', of(job_id, 'cancel'), { headers: admin })).body.status).toBe('cancelled');
});

test('HEAD and a new token are no reads: the answer stays its hour, and its minute after the first look', async () => {
  doors = await openDoorWorld();
  const mine = await asUser(doors.issuers);
  const { job_id } = await submitAs(mine, { store: false });
  const key = { tenant: TENANT, id: job_id };
  await doors.clock.until(doors.run(key));
  const expiresAt = async () => (await doors.world.store.get(key))?.job.payloadsExpireAt;
  const completedAt = (await doors.world.store.get(key))?.job.completedAt ?? 0;
  for (const what of ['status', 'result']) await doors.send('HEAD', of(job_id, what), { headers: mine });
  await doors.send('POST', of(job_id, 'token'), { headers: mine });
  expect(await expiresAt()).toBe(completedAt + HOUR_MS);
  await doors.send('GET', of(job_id, 'result'), { headers: mine });
  expect(await expiresAt()).toBe(doors.clock.nowMs() + 60_000);
});

test('a stream ends with the credentials that opened it', async () => {
  doors = await openDoorWorld();
  const { job_id, job_token } = await submitAs(await asUser(doors.issuers));
  await doors.clock.advance(599_000);
  const opened = doors.app.request(`/api/llm/jobs/${job_id}/stream/?access_token=${job_token}`);
  const response = await doors.clock.until(Promise.resolve(opened));
  expect(response.status).toBe(200);
  // By the timers of the process: a second is left.
  expect(await response.text()).toContain('event: snapshot');
}, 15_000);

test('a door that AUTH_MODE does not name is shut, also to what is valid', async () => {
  for (const [mode, open] of Object.entries({ firebase: 0, oidc: 1, 'api-key': 2, 'session-cookie': 3 })) {
    doors = await openDoorWorld({ AUTH_MODE: mode });
    const credentials = [
      await asUser(doors.issuers),
      bearer(await doors.issuers.token('oidc', { org: TENANT })),
      bearer(doors.apiKey),
      cookies(await doors.issuers.token('session', { org: TENANT })),
    ];
    const statuses = await Promise.all(
      credentials.map(async (headers) => (await doors.send('GET', '/api/llm/jobs/', { headers })).status),
    );
    expect([mode, ...statuses]).toEqual([mode, ...credentials.map((_, n) => (n === open ? 200 : 401))]);
    if (mode !== 'session-cookie') await doors.close();
  }
});

test('keys that nobody knows are looked up a bounded number of times for an address', async () => {
  doors = await openDoorWorld({ RATE_LIMITS: 'strangers=6', TRUSTED_PROXIES: '1' }, { isLimited: true });
  const made = () =>
    newApiKey({ name: 'x', tenant: TENANT, scopes: OWNER.scopes, createdAt: 0, random: randomBytes }).key;
  const from = { 'X-Forwarded-For': '203.0.113.9' };
  const answers: string[] = [];
  for (let n = 0; n < 60; n++) {
    const { status, headers } = await doors.send('GET', '/api/llm/jobs/', { headers: { ...from, ...bearer(made()) } });
    answers.push(`${status} ${headers.get('RateLimit-Policy')?.split(';')[0]}`);
  }
  // Those who are looked up no more are told so before the store is asked.
  expect(answers.filter((answer) => answer === '429 "look-ups"').length).toBeGreaterThan(30);
  const known = await doors.send('GET', '/api/llm/jobs/', { headers: { ...from, ...(await asUser(doors.issuers)) } });
  expect(known.status).toBe(200);
});

test('who has no more writes may still cancel and delete', async () => {
  doors = await openDoorWorld({ RATE_LIMITS: 'writes=4' }, { isLimited: true });
  const mine = await asUser(doors.issuers);
  const { job_id } = await submitAs(mine);
  let last = 202;
  for (let n = 0; n < 40 && last === 202; n++) {
    last = (await doors.send('POST', '/api/llm/jobs/submit/', { headers: mine, body: PROMPT })).status;
  }
  expect(last).toBe(429);
  expect((await doors.send('POST', of(job_id, 'cancel'), { headers: mine })).status).toBe(200);
  expect((await doors.send('DELETE', `/api/llm/jobs/${job_id}/`, { headers: mine })).status).toBe(200);
});

test('an issuer that cannot be asked makes nobody a stranger', async () => {
  doors = await openDoorWorld();
  const { clock } = doors;
  const perMinute = { writes: 1, reads: 1, jobReads: 120, strangers: 1 };
  const limits = rateLimits({ limiter: memoryRateLimiter({ clock }), clock, perMinute, trustedProxies: 0 });
  const authenticate = () => Promise.reject(new ServiceError('auth_unavailable', 'Not now.', { retryAfterMs: 5_000 }));
  const app = appOver(doors.world, { authenticate, limits });
  for (let n = 0; n < 40; n++) expect((await app.request('/api/llm/jobs/')).status).toBe(503);
});

test('a page that is listed is told what its writes have to name', async () => {
  doors = await openDoorWorld({ CORS_ORIGINS: 'https://app.example' });
  const session = await doors.issuers.token('session', { org: TENANT });
  const Origin = 'https://app.example';
  const read = await doors.send('GET', '/api/llm/jobs/', { headers: { Origin, Cookie: `__session=${session}` } });
  const value = read.headers.get('X-CSRFToken') ?? '';
  expect(read.headers.get('Set-Cookie')).toContain(`csrftoken=${value};`);
  expect(read.headers.get('Access-Control-Expose-Headers')).toContain('X-CSRFToken');
  const Cookie = `__session=${session}; csrftoken=${value}`;
  const write = await doors.send('POST', '/api/llm/jobs/submit/', {
    headers: { Origin, Cookie, 'X-CSRFToken': value },
    body: PROMPT,
  });
  expect(write.status).toBe(202);
});
