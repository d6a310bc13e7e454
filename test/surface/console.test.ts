/** `/` and `/console/…`: for everybody, under a policy that lets nothing else in, and kept no longer than it is true. */
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { readConfig } from '../../shared/config.ts';
import { consoleApp } from '../../shared/http/console-app.ts';
import { readConsole } from '../../shared/http/console-files.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

type Ask = (path: string, headers?: Record<string, string>, method?: string) => Promise<Response>;

let world: CoreWorld;
let files: Readonly<Record<string, string>>;
let script: string;
beforeAll(async () => {
  world = coreWorld();
  files = (await readConsole()) ?? {};
  script = Object.keys(files).find((name) => name.endsWith('.js')) ?? 'missing';
});
afterAll(() => world.close());

const asker =
  (app: { request(path: string, init: RequestInit): Response | Promise<Response> }): Ask =>
  async (path, headers = {}, method = 'GET') =>
    app.request(path, { method, headers });

describe.each<[string, () => Ask]>([
  ['all functions in one', () => asker(appOver(world))],
  ['the console alone', () => asker(consoleApp({ log: world.log }))],
])('%s', (_, made) => {
  let ask: Ask;
  beforeAll(() => {
    ask = made();
  });

  test('shows the page, which may load its own files, call its own origin, and nothing else', async () => {
    const response = await ask('/');
    expect([response.status, response.headers.get('Content-Type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await response.text()).toBe(files['index.html']);
    const policy = (response.headers.get('Content-Security-Policy') ?? '').split('; ');
    expect(policy).toEqual([
      ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", 'img-src data:'],
      ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
      ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
    ]);
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(response.headers.get('Referrer-Policy')).toBe('no-referrer');
    expect(response.headers.get('Cross-Origin-Opener-Policy')).toBe('same-origin');
  });

  test('sends each of its files as what it is, to be kept for good, and no page for anything', async () => {
    for (const [name, text] of Object.entries(files).filter(([name]) => name !== 'index.html')) {
      const { status, headers, ...response } = await whole(ask(`/console/${name}`));
      expect([name, status, response.text]).toEqual([name, 200, text]);
      expect(headers.get('Content-Type')).toBe(`text/${name.endsWith('.css') ? 'css' : 'javascript'}; charset=utf-8`);
      expect(headers.get('Cache-Control')).toBe('public, max-age=31536000, immutable');
      expect(headers.get('Content-Security-Policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    }
  });

  test('asks for the page anew each time, without sending it again', async () => {
    const { headers } = await ask('/');
    const tag = headers.get('ETag') ?? '';
    expect([headers.get('Cache-Control'), tag]).toEqual(['no-cache', expect.stringMatching(/^W\/"[\w-]{22}"$/)]);
    for (const seen of [tag, tag.slice(2), `"another", ${tag}`, '*']) {
      const again = await whole(ask('/', { 'If-None-Match': seen }));
      expect([seen, again.status, again.text, again.headers.get('ETag')]).toEqual([seen, 304, '', tag]);
      expect(again.headers.get('Content-Security-Policy')).toContain("default-src 'none'");
    }
    expect((await ask('/', { 'If-None-Match': 'W/"another"' })).status).toBe(200);
  });

  test('is packed for whoever takes that, and says that it depends on it', async () => {
    for (const path of ['/', `/console/${script}`]) {
      const text = await (await ask(path)).text();
      for (const takes of ['gzip', 'deflate, gzip;q=0.5, br', 'GZIP']) {
        const packed = await ask(path, { 'Accept-Encoding': takes });
        expect([path, takes, packed.headers.get('Content-Encoding')]).toEqual([path, takes, 'gzip']);
        expect(packed.headers.get('Vary')).toContain('Accept-Encoding');
        expect(gunzipSync(await packed.arrayBuffer()).toString()).toBe(text);
      }
      for (const takes of ['br', 'identity', 'gzip;q=0, br', '']) {
        const plain = await whole(ask(path, { 'Accept-Encoding': takes }));
        expect([path, takes, plain.headers.get('Content-Encoding'), plain.text]).toEqual([path, takes, null, text]);
        expect(plain.headers.get('Vary')).toContain('Accept-Encoding');
      }
    }
  });

  test('answers HEAD as it does GET, and nothing that writes', async () => {
    for (const path of ['/', `/console/${script}`]) {
      const [head, got] = [await whole(ask(path, {}, 'HEAD')), await ask(path)];
      expect([path, head.status, head.text]).toEqual([path, 200, '']);
      for (const name of ['Content-Type', 'ETag', 'Cache-Control', 'Content-Security-Policy']) {
        expect([name, head.headers.get(name)]).toEqual([name, got.headers.get(name)]);
      }
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const refused = await ask(path, {}, method);
        expect([method, refused.status, refused.headers.get('Allow')]).toEqual([method, 405, 'GET, HEAD']);
        expect(await refused.json()).toMatchObject({ success: false, code: 'method_not_allowed' });
      }
    }
  });

  test.each([
    ...[
      'nothing.js',
      'index.html',
      'constructor',
      '__proto__',
      'x.constructor',
      'toString',
      '',
      '.',
      '..%2findex.html',
    ],
    ...['..%2f..%2fpackage.json', '%2e%2e%2f%2e%2e%2fjobs.db', 'a/b.js', '%00', '%ff'],
  ])('has no /console/%s', async (name) => {
    const missing = await ask(`/console/${name}`);
    expect([missing.status, missing.headers.get('Cache-Control')]).toEqual([404, 'no-store']);
    expect(await missing.json()).toMatchObject({
      ...{ success: false, code: 'route_not_found', error: expect.any(String), request_id: expect.any(String) },
    });
  });
});

async function whole(asked: Promise<Response>) {
  const response = await asked;
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('the console alone', () => {
  test('is healthy, and has nothing of the API', async () => {
    const ask = asker(consoleApp({ log: world.log }));
    expect(await (await ask('/health')).json()).toEqual({ status: 'ok' });
    for (const path of ['/api/llm/jobs/', '/docs', '/openapi.json', '/client.js']) {
      const missing = await ask(path);
      expect([path, missing.status]).toEqual([path, 404]);
      expect(await missing.json()).toMatchObject({ code: 'route_not_found', request_id: expect.any(String) });
    }
  });

  test('whose files cannot be read is a 500 without a word of why, and a line in the log', async () => {
    const lines: unknown[][] = [];
    const read = () => Promise.reject(new Error('/secret/place'));
    const broken = await consoleApp({ log: (...line) => void lines.push(line), read }).request('/');
    expect([broken.status, await broken.text()]).toEqual([500, expect.not.stringContaining('secret')]);
    expect(lines).toEqual([['error', 'request-failed', expect.anything()]]);
  });

  test('that is not built is 404, which says what builds it; then it is there', async () => {
    const built: { 'index.html': string }[] = [];
    const app = consoleApp({ log: world.log, read: async () => built[0] });
    const missing = await app.request('/');
    expect([missing.status, missing.headers.get('Cache-Control')]).toEqual([404, 'no-store']);
    expect(await missing.json()).toMatchObject({ error: expect.stringContaining('npm install') });
    built.push({ 'index.html': '<!doctype html>' });
    expect(await (await app.request('/')).text()).toBe('<!doctype html>');
  });
});

describe('whoever may call', () => {
  const opened = async (settings: Record<string, string>) => {
    const runtime = await embeddedRuntime(readConfig({ DATABASE_URL: ':memory:', ...settings }));
    return { ask: asker(publicApp(runtime, EVERYTHING)), close: () => runtime.close() };
  };

  test('sees the page without credentials, but no data', async () => {
    const { ask, close } = await opened({ AUTH_MODE: 'api-key' });
    expect((await ask('/')).status).toBe(200);
    expect((await ask(`/console/${script}`)).status).toBe(200);
    expect((await ask('/api/llm/jobs/')).status).toBe(401);
    await close();
  });

  test('asks for it as often as strangers may ask for anything', async () => {
    const { ask, close } = await opened({ AUTH_MODE: 'api-key' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask('/')));
    const refused = answers.find(({ status }) => status === 429);
    expect(await refused?.json()).toMatchObject({ success: false, code: 'rate_limited' });
    expect(refused?.headers.get('Cache-Control')).toBe('no-store');
    await close();
  });

  test.each([
    [{ CONSOLE: 'false' }],
    // It would have nothing to ask.
    [{ SURFACES: 'streaming-jobs' }],
  ])('finds none with %o', async (settings) => {
    const { ask, close } = await opened(settings);
    for (const path of ['/', `/console/${script}`]) expect([path, (await ask(path)).status]).toEqual([path, 404]);
    await close();
  });
});

test.each([
  ['reads', 200],
  ['writes', 404],
  ['streams', 404],
] as const)('where %s are served it is %i', async (kind, expected) => {
  const app = appOver(world, {}, [kind]);
  for (const path of ['/', `/console/${script}`]) {
    expect([path, (await app.request(path)).status]).toEqual([path, expected]);
  }
});
