/** Who may use which route: every route for everybody who may come to it, and what they are told. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpApp } from '../../shared/http/app.ts';
import { readConsole } from '../../shared/http/console-files.ts';
import { renderError } from '../../shared/http/errors.ts';
import { noLimits } from '../../shared/http/limits.ts';
import type { Reply } from '../support/app.ts';
import { asUser, bearer, cookies, type DoorWorld, OWNER, openDoorWorld, TENANT } from '../support/doors.ts';
import { sign } from '../support/issuers.ts';

/**
 * What each is answered about a job of `owner`, and a batch of theirs. `401m`, `401e`, `401u`: missing, expired, unknown;
 * `403s`: another scope is needed; `403c`: no page of ours. The user is that owner, too, who is somebody else in another tenant.
 */
const MATRIX = `
                                           | nobody expired unknown owner colleague foreigner reader writer admin far-admin api-key cookie cookie+csrf own-token other-token old-token
GET /health                                | 200    200     200     200   200       200       200    200    200   200       200     200    200         200       200         200
GET /openapi.json                          | 200    200     200     200   200       200       200    200    200   200       200     200    200         200       200         200
GET /docs                                  | 200    200     200     200   200       200       200    200    200   200       200     200    200         200       200         200
GET /docs/:file                            | 200    200     200     200   200       200       200    200    200   200       200     200    200         200       200         200
GET /client.js                             | 200    200     200     200   200       200       200    200    200   200       200     200    200         200       200         200
GET /                                      | 200    200     200     200   200       200       200    200    200   200       200     200    200         200       200         200
GET /console/:file                         | 200    200     200     200   200       200       200    200    200   200       200     200    200         200       200         200
POST /llm/submit                           | 401m   401e    401u    200   200       200       403s   200    200   200       200     403c   200         403s      403s        401e
POST /llm/submit/batch                     | 401m   401e    401u    200   200       200       403s   200    200   200       200     403c   200         403s      403s        401e
GET /llm/status/:job_id                    | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         200       404         401e
GET /llm/result/:job_id                    | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         200       404         401e
POST /llm/cancel/:job_id                   | 401m   401e    401u    200   404       404       403s   200    200   404       404     403c   200         200       404         401e
GET /api/llm/models                        | 401m   401e    401u    200   200       200       200    403s   200   200       200     200    200         403s      403s        401e
GET /api/llm/schemas/published-submission.json | 401m 401e  401u    200   200       200       200    403s   200   200       200     200    200         403s      403s        401e
POST /api/llm/jobs/submit                  | 401m   401e    401u    202   202       202       403s   202    202   202       202     403c   202         403s      403s        401e
POST /api/llm/trainer-analysis             | 401m   401e    401u    202   202       202       403s   202    202   202       202     403c   202         403s      403s        401e
POST /api/llm/jobs/batch                   | 401m   401e    401u    202   202       202       403s   202    202   202       202     403c   202         403s      403s        401e
GET /api/llm/jobs                          | 401m   401e    401u    200   200       200       200    403s   200   200       200     200    200         403s      403s        401e
GET /api/llm/jobs/stream                   | 401m   401e    401u    200   200       200       200    403s   200   200       200     200    200         403s      403s        401e
GET /api/llm/usage                         | 401m   401e    401u    200   200       200       200    403s   200   200       200     200    200         403s      403s        401e
GET /api/llm/jobs/batch/:batch_id          | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         403s      403s        401e
PUT /api/llm/jobs/:job_id                  | 401m   401e    401u    202   409       202       403s   202    409   202       409     403c   202         403s      403s        401e
GET /api/llm/jobs/:job_id/status           | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         200       404         401e
GET /api/llm/jobs/:job_id/result           | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         200       404         401e
GET /api/llm/jobs/:job_id/stream           | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         200       404         401e
POST /api/llm/jobs/:job_id/cancel          | 401m   401e    401u    200   404       404       403s   200    200   404       404     403c   200         200       404         401e
POST /api/llm/jobs/:job_id/retry           | 401m   401e    401u    202   404       404       403s   202    202   404       404     403c   202         403s      403s        401e
GET /api/llm/jobs/:job_id/deliveries       | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         403s      403s        401e
GET /api/llm/jobs/:job_id/input            | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         403s      403s        401e
POST /api/llm/jobs/:job_id/redeliver       | 401m   401e    401u    409   404       404       403s   409    409   404       404     403c   409         403s      403s        401e
GET /api/llm/webhooks/secrets              | 401m   401e    401u    403s  403s      403s      403s   403s   409   409       403s    403s   403s        403s      403s        401e
POST /api/llm/jobs/:job_id/token           | 401m   401e    401u    200   404       404       200    403s   404   404       404     403c   200         403s      403s        401e
GET /api/llm/accounts/:user_id             | 401m   401e    401u    409   409       409       409    403s   409   409       409     409    409         403s      403s        401e
PUT /api/llm/accounts/:user_id             | 401m   401e    401u    403s  403s      403s      403s   403s   409   409       403s    403c   403s        403s      403s        401e
POST /api/llm/accounts/:user_id/grant      | 401m   401e    401u    403s  403s      403s      403s   403s   409   409       403s    403c   403s        403s      403s        401e
DELETE /api/llm/users/:user_id             | 401m   401e    401u    200   403s      200       403s   200    200   200       403s    403c   200         403s      403s        401e
DELETE /api/llm/jobs/:job_id               | 401m   401e    401u    200   404       404       403s   200    200   404       404     403c   200         403s      403s        401e
POST /jobs                                 | 401m   401e    401u    202   202       202       403s   202    202   202       202     403c   202         403s      403s        401e
GET /jobs                                  | 401m   401e    401u    200   200       200       200    403s   200   200       200     200    200         403s      403s        401e
GET /jobs/:id                              | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         200       404         401e
GET /jobs/:id/stream                       | 401m   401e    401u    200   404       404       200    403s   200   404       404     200    200         200       404         401e
POST /api/v1/web-knowledge/generate-prompt-async | 401m 401e 401u 202  202       202       403s   202    202   202       202     403c   202         403s      403s        401e
GET /api/v1/web-knowledge/generate-prompt-async/status/:task_id | 401m 401e 401u 200 404 404 200   403s   200   404       404     200    200         200       404         401e
POST /api/v1/web-knowledge/generate-prompt-async/cancel/:task_id | 401m 401e 401u 200 404 404 403s 200    200   404       404     403c   200         200       404         401e
POST /api/v1/web-knowledge/generate-prompt | 401m   401e    401u    504   504       504       403s   504    504   504       504     403c   504         403s      403s        401e
`;

const [heads = '', ...lines] = MATRIX.trim().split('\n');
const words = (text: string | undefined) => (text ?? '').trim().split(/ +/);
const PRINCIPALS = words(heads.split('|')[1]);
const ROWS = lines.map((line) => {
  const [route = '', cells] = line.split('|');
  return { route: route.trim(), answers: words(cells) };
});
const ROUTES = ROWS.map(({ route }) => route);
const OF_A_JOB = ROUTES.filter((route) => /:(job_|task_)?id\b/.test(route));
const OF_A_CONTRACT = ROUTES.filter(
  (route) => !/^GET \/(health|openapi\.json|client\.js|docs\b|console\/|$)/.test(route),
);

const LONG_MS = 11 * 60_000;
const body = { job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'A canary of Ada.' } };
const extraction = { job_type: 'structured_extraction', model_id: 'simulated', input_data: { text: 'A canary.' } };
const BODIES: Record<string, unknown> = {
  'POST /llm/submit': { text: 'A canary.' },
  'POST /llm/submit/batch': { texts: ['A canary.'] },
  'POST /api/llm/jobs/submit': body,
  'POST /api/llm/trainer-analysis': { model_id: 'simulated', full_input: 'A canary.' },
  'POST /api/llm/jobs/batch': { jobs: [body] },
  'PUT /api/llm/jobs/:job_id': body,
  'PUT /api/llm/accounts/:user_id': { subscription: 'active' },
  'POST /api/llm/accounts/:user_id/grant': { tokens: 5 },
  'POST /jobs': { prompt: 'A canary of Ada.', provider: 'simulated', model: 'simulated' },
  'POST /api/v1/web-knowledge/generate-prompt-async': { manual_prompt: 'A canary of Ada.' },
  'POST /api/v1/web-knowledge/generate-prompt': { manual_prompt: 'A canary of Ada.' },
};

let doors: DoorWorld;
let credentials: Map<string, Record<string, string>>;
/** The job that all of it is about, made anew where it may have been deleted. */
let jobId: string;
let batchId: string;
let others: string;
let oldToken: string;
let consoleFile: string;

beforeAll(async () => {
  doors = await openDoorWorld();
  others = crypto.randomUUID();
  consoleFile = Object.keys((await readConsole()) ?? {}).find((name) => name.endsWith('.js')) ?? 'missing';
  oldToken = await tokenOf(crypto.randomUUID());
  await doors.clock.advance(LONG_MS);
  credentials = await everybody();
});
afterAll(() => doors.close());

async function tokenOf(id: string): Promise<string> {
  const issued = await doors.doors.jobTokens?.issue({ tenant: TENANT, id, user: OWNER.user }, OWNER.scopes);
  return issued?.token ?? '';
}

async function everybody() {
  const { issuers, clock } = doors;
  const expired = issuers.claims.firebase({ org: TENANT, exp: Math.floor(clock.nowMs() / 1_000) - 60 });
  const session = await issuers.token('session', { org: TENANT });
  const root = { sub: 'root', scope: 'jobs:read jobs:write admin' };
  return new Map<string, Record<string, string>>([
    ['nobody', {}],
    ['expired', bearer(await sign(expired, issuers.keys.firebase))],
    ['unknown', bearer(await sign(issuers.claims.firebase({ org: TENANT }), issuers.keys.stranger))],
    ['owner', await asUser(issuers)],
    ['colleague', await asUser(issuers, { sub: 'bob' })],
    ['foreigner', await asUser(issuers, { org: 'umbrella' })],
    ['reader', await asUser(issuers, { scope: 'jobs:read' })],
    ['writer', await asUser(issuers, { scope: ['jobs:write'] })],
    ['admin', bearer(await issuers.token('oidc', { ...root, org: TENANT }))],
    ['far-admin', bearer(await issuers.token('oidc', { ...root, org: 'umbrella' }))],
    ['api-key', bearer(doors.apiKey)],
    ['cookie', cookies(session, { csrf: false })],
    ['cookie+csrf', cookies(session)],
    ['other-token', bearer(await tokenOf(others))],
    ['old-token', bearer(oldToken)],
  ]);
}

/** A completed job (a cancelled one for the route that makes such a job anew) of the owner in a batch of theirs, of a type that the route knows. */
async function makeJob(route = ''): Promise<void> {
  const mine = credentials.get('owner') ?? {};
  const task = { ...body, job_type: 'prompt_generation', input_data: { manual_prompt: 'A canary of Ada.' } };
  const made = route.includes(' /llm/') ? extraction : route.includes('/web-knowledge/') ? task : body;
  const jobs = [{ ...made, job_id: crypto.randomUUID() }];
  const { body: batch } = await doors.send('POST', '/api/llm/jobs/batch/', { headers: mine, body: { jobs } });
  jobId = batch.items[0].job_id;
  batchId = batch.batch_id;
  if (route.endsWith('/retry')) await doors.service.cancel(OWNER, jobId);
  else await doors.clock.until(doors.run({ tenant: TENANT, id: jobId }));
  credentials.set('own-token', bearer(await tokenOf(jobId)));
}

const pathOf = (route: string) =>
  route
    .replace(/^\S+ /, '')
    .replace(/:(job_|task_)?id\b/, jobId)
    .replace(':user_id', OWNER.user)
    .replace(':batch_id', batchId)
    .replace('/console/:file', `/console/${consoleFile}`)
    .replace(':file', 'start.js');
const methodOf = (route: string) => route.split(' ')[0] ?? '';

function ask(route: string, headers: Record<string, string>, query = ''): Promise<Reply> {
  const sent = BODIES[route];
  return doors.send(methodOf(route), `${pathOf(route)}${query}`, { headers, ...(sent ? { body: sent } : {}) });
}

const REASONS: Record<string, string> = { m: 'missing', e: 'expired', u: 'unknown' };

/** What was answered in the words of the table; whatever does not belong to such an answer fails. */
function inWords(reply: Reply, route = '/api/llm'): string {
  const { status, headers, body: answer } = reply;
  const challenge = headers.get('WWW-Authenticate') ?? '';
  if (status < 400) {
    expect(challenge).toBe('');
    return String(status);
  }
  expect(JSON.stringify(answer)).not.toMatch(/canary|firebase:|acme/);
  if (!route.includes('/api/llm')) return inOwnWords(reply, challenge);
  expect(answer).toMatchObject({ success: false, error: expect.any(String), request_id: expect.any(String) });
  if (status === 401) {
    const [letter = ''] = Object.entries(REASONS).find(([, reason]) => reason === answer.reason) ?? [];
    expect(answer.code).toBe('unauthenticated');
    expect(Object.keys(answer).sort()).toEqual(['code', 'error', 'reason', 'request_id', 'success']);
    expect(challenge).toMatch(letter === 'm' ? /^Bearer realm="llm-jobs"$/ : new RegExp(`"${answer.reason}"$`));
    return `401${letter}`;
  }
  if (status === 403) {
    if (answer.code === 'csrf_failed') return '403c';
    expect(answer.code).toBe('forbidden');
    expect(answer.scope).toMatch(/^jobs:(read|write)$|^admin$/);
    expect(challenge).toContain(`error="insufficient_scope", scope="${answer.scope}"`);
    return '403s';
  }
  expect(answer.code).toMatch(
    /^(job|batch)_not_found$|^job_id_taken$|^credits_off$|^nothing_to_deliver$|^webhooks_off$/,
  );
  return String(status);
}

/** As `inWords`, where a contract has words of its own for errors: what may be done is in the headers. */
function inOwnWords({ status, body: answer }: Reply, challenge: string): string {
  expect(Object.values(answer)).toContainEqual(expect.stringMatching(/\w/));
  expect(answer).not.toHaveProperty('request_id');
  if (status === 401) {
    const [, reason = 'missing'] = /^Bearer realm="llm-jobs"(?:, .*"(expired|unknown)")?$/.exec(challenge) ?? [];
    const [letter = ''] = Object.entries(REASONS).find(([, word]) => word === reason) ?? [];
    expect([reason, challenge !== '']).toEqual([reason, true]);
    return `401${letter}`;
  }
  if (status !== 403) return String(status);
  return /error="insufficient_scope", scope="(jobs:(read|write)|admin)"/.test(challenge) ? '403s' : '403c';
}

describe('every route', () => {
  test('is in the table, once, and nothing else is', () => {
    const mounted = doors.app.routes.filter(({ method }) => method !== 'ALL');
    expect([...new Set(mounted.map(({ method, path }) => `${method} ${path}`))].sort()).toEqual([...ROUTES].sort());
    const wild = doors.app.routes.filter(({ method }) => method === 'ALL').map(({ path }) => path);
    expect(new Set(wild), 'middleware answers no path of its own').toEqual(new Set(['/*']));
    for (const { route, answers } of ROWS) expect([route, answers.length]).toEqual([route, PRINCIPALS.length]);
  });

  test('that is described says who may use it', () => {
    const described = doors.app.openAPIRegistry.definitions.flatMap((one) => (one.type === 'route' ? one.route : []));
    expect(described.length).toBe(OF_A_CONTRACT.length);
    for (const { method, path, security } of described) {
      expect([method, path, security?.[0]?.bearer]).toEqual([
        method,
        path,
        [expect.stringMatching(/^jobs:\w+$|^admin$/)],
      ]);
    }
  });

  test.each(ROWS)('$route', async ({ route, answers }) => {
    for (const [index, who] of PRINCIPALS.entries()) {
      if (index === 0 || /^(DELETE|PUT)|generate-prompt$/.test(route)) await makeJob(route);
      const before = await doors.changes();
      const reply = await ask(route, credentials.get(who) ?? {});
      expect([route, who, inWords(reply, route)]).toEqual([route, who, answers[index]]);
      if (reply.status >= 400 && reply.status < 500) expect([who, await doors.changes()]).toEqual([who, before]);
    }
  });

  test('answers HEAD as it does GET', async () => {
    for (const { route, answers } of ROWS.filter((row) => row.route.startsWith('GET'))) {
      await makeJob(route);
      for (const who of ['nobody', 'owner', 'colleague']) {
        const { status } = await doors.send('HEAD', pathOf(route), { headers: credentials.get(who) ?? {} });
        expect([route, who, String(status)]).toEqual([route, who, answers[PRINCIPALS.indexOf(who)]?.slice(0, 3)]);
      }
    }
  });
});

describe('a token in the URL', () => {
  test('opens the stream of its job, and nothing else', async () => {
    await makeJob();
    const query = `?access_token=${await tokenOf(jobId)}`;
    for (const route of OF_A_CONTRACT) {
      const before = await doors.changes();
      const { status, body: answer } = await ask(route, {}, query);
      if (/:(job_)?id\/stream$/.test(route)) expect([route, status]).toEqual([route, 200]);
      else
        expect([route, status, JSON.stringify(answer)]).toEqual([
          ...[route, route.includes(' /llm/') ? 422 : 400],
          expect.stringContaining('access_token'),
        ]);
      expect(await doors.changes()).toEqual(before);
    }
  });

  test('is refused for another job, when it is old, and when it is no job token', async () => {
    await makeJob();
    const stream = 'GET /api/llm/jobs/:job_id/stream';
    const of = async (token: string) => inWords(await ask(stream, {}, `?access_token=${encodeURIComponent(token)}`));
    expect(await of(await tokenOf(others))).toBe('404');
    expect(await of(oldToken)).toBe('401e');
    expect(await of(await doors.issuers.token('firebase', { org: TENANT }))).toBe('401u');
    expect(await of(doors.apiKey)).toBe('401u');
    expect(await of('')).toBe('401u');
  });

  test('shows what was answered, and not what was asked', async () => {
    await makeJob();
    const { body: owners } = await ask('GET /jobs/:id', credentials.get('owner') ?? {});
    const { body: theirs } = await ask('GET /jobs/:id', bearer(await tokenOf(jobId)));
    const { prompt, ...others } = owners;
    expect([prompt, theirs]).toEqual([body.input_data.prompt, others]);
  });

  test('counts for nothing beside a header', async () => {
    await makeJob();
    const query = `?access_token=${await tokenOf(jobId)}`;
    const reply = await ask('GET /api/llm/jobs/:job_id/stream', credentials.get('unknown') ?? {}, query);
    expect(inWords(reply)).toBe('401u');
  });
});

test('every job of others is the same as none', async () => {
  const none = crypto.randomUUID();
  for (const route of OF_A_JOB.filter((one) => !one.startsWith('PUT'))) {
    await makeJob(route);
    const colleague = credentials.get('colleague') ?? {};
    const { request_id: _, ...theirs } = (await ask(route, colleague)).body;
    const path = pathOf(route).replace(jobId, none);
    const { request_id: __, ...nobodys } = (await doors.send(methodOf(route), path, { headers: colleague })).body;
    expect([route, theirs]).toEqual([route, nobodys]);
  }
});

test('a route that says not who may use it is open to nobody', async () => {
  const { authenticate } = doors.doors;
  const faults: unknown[] = [];
  const app = httpApp({
    ...{ authenticate, limits: noLimits, renderError },
    ...{ serves: () => true, isBatch: () => false, allowOrigin: () => false, allowCookies: false },
    log: (_, event, fields) => void faults.push([event, fields?.code, fields?.route]),
  });
  let calls = 0;
  app.get('/api/llm/forgotten/:user_id', (context) => context.text(`called ${++calls}`));
  for (const who of ['nobody', 'owner', 'admin']) {
    const response = await app.request('/api/llm/forgotten/ada', { headers: credentials.get(who) ?? {} });
    expect([who, response.status]).toEqual([who, 500]);
  }
  expect(calls).toBe(0);
  expect(faults).toEqual(Array(3).fill(['request-failed', 'internal_error', 'GET /api/llm/forgotten/:user_id']));
});

test('a token that names no tenant, or one that can be none, may do nothing', async () => {
  for (const org of [undefined, '', 'a~b', 5, ['acme'], null, 'x'.repeat(65), '../acme', '__proto__', 'default']) {
    const headers = await asUser(doors.issuers, { org });
    const { status, body: answer } = await doors.send('GET', '/api/llm/jobs/', { headers });
    expect([org, status, answer.code]).toEqual([org, 403, 'forbidden']);
  }
});

test('what the body is, nobody hears who may not send one', async () => {
  const raw = '{"job_type": ';
  const sent = (headers: Record<string, string>, path = '/api/llm/jobs/submit/') =>
    doors.send('POST', path, { headers, raw });
  expect((await sent({})).status).toBe(401);
  expect((await sent(credentials.get('reader') ?? {})).status).toBe(403);
  expect((await sent({}, '/api/llm/nowhere/')).status).toBe(404);
  expect((await sent({}, '/api/llm/models/')).status).toBe(405);
  expect((await sent(credentials.get('owner') ?? {})).status).toBe(400);
});
