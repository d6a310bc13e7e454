/** `/client.js`: for everybody who may call us, kept by whoever asked, and served where reads are. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { buildClientScript } from '../../infra/client-script.ts';
import { readConfig } from '../../shared/config.ts';
import { type HttpApp, httpApp } from '../../shared/http/app.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { mountClientScript } from '../../shared/http/client-script.ts';
import { renderError } from '../../shared/http/errors.ts';
import { noLimits } from '../../shared/http/limits.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

const PAGE = 'http://localhost:5173';
let world: CoreWorld;
let app: HttpApp;
beforeAll(() => {
  world = coreWorld();
  app = appOver(world);
});
afterAll(() => world.close());

const get = (headers: Record<string, string> = {}, method = 'GET') => app.request('/client.js', { method, headers });

test('it is a module of one file that exports the client', async () => {
  const response = await get();
  const [{ status, headers }, text] = [response, await response.text()];
  expect([status, headers.get('Content-Type')]).toEqual([200, 'text/javascript; charset=utf-8']);
  expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
  expect(text).toBe(await buildClientScript());
  expect(text).not.toMatch(/\bimport\b\s*[\w{*"'(]|sourceMappingURL/);
  const loaded = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`);
  expect(loaded.createClient({ baseUrl: PAGE })).toHaveProperty('submitAndWait');
});

test('it is kept for an hour, and asked for anew without being sent again', async () => {
  const first = await get();
  expect(first.headers.get('Cache-Control')).toBe('public, max-age=3600');
  const tag = first.headers.get('ETag') ?? '';
  expect(tag).toMatch(/^"[\w-]{22}"$/);
  for (const seen of [tag, `W/${tag}`, `"another", ${tag}`, '*']) {
    const again = await get({ 'If-None-Match': seen });
    expect([seen, again.status, await again.text(), again.headers.get('ETag')]).toEqual([seen, 304, '', tag]);
  }
  expect((await get({ 'If-None-Match': '"another"' })).status).toBe(200);
  const head = await get({}, 'HEAD');
  expect([head.status, await head.text(), head.headers.get('ETag')]).toEqual([200, '', tag]);
  expect((await get({}, 'POST')).status).toBe(405);
});

describe('a page of another origin', () => {
  test('that may call us may import it', async () => {
    const { headers } = await get({ Origin: PAGE });
    expect([headers.get('Access-Control-Allow-Origin'), headers.get('Vary')]).toEqual([PAGE, 'Origin']);
    expect(headers.get('Cache-Control')).toBe('public, max-age=3600');
    const again = await get({ Origin: PAGE, 'If-None-Match': headers.get('ETag') ?? '' });
    const named = ['Cache-Control', 'Access-Control-Allow-Origin', 'Vary'].map((name) => again.headers.get(name));
    expect([again.status, ...named]).toEqual([304, 'public, max-age=3600', PAGE, 'Origin']);
  });

  test('that may not cannot, nor is it shown what a cache kept for another', async () => {
    const { headers } = await get({ Origin: 'https://evil.example' });
    expect([headers.get('Access-Control-Allow-Origin'), headers.get('Vary')]).toEqual([null, 'Origin']);
    expect((await get()).headers.get('Vary')).toBe('Origin');
  });
});

test.each([
  ['reads', 200],
  ['writes', 404],
  ['streams', 404],
] as const)('where %s are served it is %i', async (kind, expected) => {
  expect((await appOver(world, {}, [kind]).request('/client.js')).status).toBe(expected);
});

test('it is there whatever contracts are, and whoever may call them', async () => {
  const settings = { DATABASE_URL: ':memory:', SURFACES: 'llm-jobs', AUTH_MODE: 'api-key' };
  const runtime = await embeddedRuntime(readConfig(settings));
  const own = publicApp(runtime, EVERYTHING);
  expect((await own.request('/client.js')).status).toBe(200);
  expect((await own.request('/api/llm/jobs/')).status).toBe(401);
  await runtime.close();
});

test('where nothing was built it is 404, which says what builds it; then it is there', async () => {
  const built: string[] = [];
  const own = httpApp({
    ...{ authenticate: alwaysAs(ADA), limits: noLimits, renderError, log: world.log },
    ...{ serves: () => true, isBatch: () => false, allowOrigin: () => false, allowCookies: false },
  });
  mountClientScript(own, async () => built[0]);
  const missing = await own.request('/client.js');
  expect([missing.status, missing.headers.get('Cache-Control')]).toEqual([404, 'no-store']);
  expect(await missing.json()).toMatchObject({
    code: 'route_not_found',
    error: expect.stringContaining('npm run build'),
  });
  built.push('export {};');
  expect(await (await own.request('/client.js')).text()).toBe('export {};');
});
