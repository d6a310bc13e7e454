/** Forged tokens: each is refused at each door at which it can be tried, and nothing is fetched that it names. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bearer, cookies, type DoorWorld, OWNER, openDoorWorld, TENANT } from '../support/doors.ts';
import { DOORS, type Door, type DoorName, doorsOf, forgeries } from '../support/forgeries.ts';

let world: DoorWorld;
let opened: Door[];
let jobId: string;
let strangersUrl: string;
const strangersCalls: string[] = [];
const stranger = createServer((request, response) => {
  strangersCalls.push(request.url ?? '');
  response.end('{}');
});

beforeAll(async () => {
  world = await openDoorWorld();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  strangersUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  const submitted = await world.service.submit(OWNER, {
    ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Mine.' } },
  });
  jobId = submitted.job.id;
  await world.clock.until(world.run(submitted.job));
  const nowS = now();
  opened = doorsOf(world.issuers, {
    ...{ iss: 'llm-jobs', aud: 'job', sub: OWNER.user, iat: nowS - 5, exp: nowS + 500 },
    ...{ tenant: TENANT, job_id: jobId, scope: OWNER.scopes.join(' ') },
  });
});
afterAll(async () => {
  await world.close();
  await new Promise((resolve) => stranger.close(resolve));
});

const now = () => Math.floor(world.clock.nowMs() / 1_000);
const headersFor = (door: DoorName, token: string) =>
  door === 'session' ? cookies(encodeURIComponent(token)) : bearer(token);
const read = (headers: Record<string, string>, query = '') =>
  world.send('GET', `/api/llm/jobs/${jobId}/${query === '' ? 'status/' : `stream/${query}`}`, { headers });

describe('what they are made from', () => {
  test.each(DOORS)('opens the %s door', async (name) => {
    const mint = opened.find((door) => door.name === name)?.mint;
    const answer = await read(headersFor(name, mint?.() ?? ''));
    // The OIDC user of that name is somebody else.
    expect([name, answer.status]).toEqual([name, name === 'oidc' ? 404 : 200]);
  });
});

test('there are more than fifty, each with a name of its own', () => {
  const names = forgeries(world.issuers, now(), strangersUrl).map(({ name, at = DOORS }) => `${name} ${at}`);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(150);
});

describe.each(DOORS)('at the %s door', (name) => {
  test('no forged token is accepted, and none breaks anything', async () => {
    const door = opened.find((one) => one.name === name) as Door;
    const mine = forgeries(world.issuers, now(), strangersUrl).filter(({ at = DOORS }) => at.includes(name));
    expect(mine.length).toBeGreaterThan(50);
    const good = door.mint();
    const accepted: unknown[] = [];
    for (const forgery of mine) {
      const token = await forgery.make(door);
      expect([forgery.name, token === good]).toEqual([forgery.name, false]);
      const tries = [await read(headersFor(name, token))];
      if (name === 'job') tries.push(await read({}, `?access_token=${encodeURIComponent(token)}`));
      for (const { status, headers, body } of tries) {
        const isMissing = name === 'session' && token === '' && body.reason === 'missing';
        const isRefused = status === 401 && (isMissing || ['unknown', 'expired'].includes(body.reason));
        if (!isRefused || !headers.get('WWW-Authenticate')) accepted.push([forgery.name, status, body]);
      }
    }
    expect(accepted).toEqual([]);
    expect(strangersCalls).toEqual([]);
  });
});

test('only one whose signature is right is told that it has expired', async () => {
  for (const { name, mint } of opened) {
    const claims = { iat: now() - 120, exp: now() - 60 };
    const reason = async (token: string) => (await read(headersFor(name, token))).body.reason;
    expect([name, await reason(mint({ claims }))]).toEqual([name, 'expired']);
    expect([name, await reason(mint({ claims, signature: () => 'no signature' }))]).toEqual([name, 'unknown']);
  }
});

test.each([
  ['Basic', (token: string) => `Basic ${token}`],
  ['no scheme', (token: string) => token],
  ['a scheme of its own', (token: string) => `Token ${token}`],
  ['a colon', (token: string) => `Bearer: ${token}`],
  ['no space', (token: string) => `Bearer${token}`],
  ['nothing after it', () => 'Bearer'],
  ['bearer and nothing', () => 'bearer '],
  ['two tokens', (token: string) => `Bearer ${token} ${token}`],
  ['two headers in one', (token: string) => `Bearer ${token}, Bearer ${token}`],
  ['a comma', (token: string) => `Bearer ${token},`],
  ['quotes', (token: string) => `Bearer "${token}"`],
  ['a parameter', (token: string) => `Bearer token=${token}`],
  ['a space within', (token: string) => `Bearer ${token.slice(0, 9)} ${token.slice(9)}`],
  ['a tab', (token: string) => `Bearer\t${token}`],
])('a good token in a header with %s is refused', async (_, write) => {
  const token = opened[0]?.mint() ?? '';
  const { status, body } = await read({ Authorization: write(token) });
  expect([status, body.reason]).toEqual([401, 'unknown']);
});

test('a good token is taken whichever way its scheme is written', async () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
    expect((await read({ Authorization: `${scheme} ${opened[0]?.mint()}` })).status).toBe(200);
  }
});

test('a job token of another tenant does not find the job here', async () => {
  const mint = opened.find(({ name }) => name === 'job')?.mint;
  expect((await read(bearer(mint?.({ claims: { tenant: 'umbrella' } }) ?? ''))).status).toBe(404);
  expect((await read(bearer(mint?.({ claims: { sub: 'firebase:bob' } }) ?? ''))).status).toBe(404);
});

test('a job token is good for ten minutes, also where the clock is some seconds behind', async () => {
  const issued = await world.doors.jobTokens?.issue({ tenant: TENANT, id: jobId, user: OWNER.user }, OWNER.scopes);
  const mint = opened.find(({ name }) => name === 'job')?.mint;
  const status = async (token: string | undefined) => (await read(bearer(token ?? ''))).status;
  expect(await status(mint?.({ claims: { iat: now() + 3, exp: now() + 603 } }))).toBe(200);
  await world.clock.advance(599_000);
  expect(await status(issued?.token)).toBe(200);
  await world.clock.advance(2_000);
  expect(await status(issued?.token)).toBe(401);
});
