/** A function that loads what answers on first use: health before it, one load for all, and an end where there is nothing to load. */
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { type Handle, nodeFunction } from '../../shared/http/functions-framework.ts';

let server: Server | undefined;
afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())));

async function serve(load: () => Promise<Handle>, hasHealth: boolean): Promise<string> {
  const { answer } = nodeFunction({ load, hasHealth, log: () => undefined });
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('health is answered without loading; the first other request loads, and all wait for one load', async () => {
  let loads = 0;
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const url = await serve(async () => {
    loads += 1;
    await arrived;
    return async (request) => new Response(`${new URL(request.url).pathname}: ${await request.text()}`);
  }, true);
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' });
  expect(loads).toBe(0);
  const post = (path: string) => fetch(`${url}${path}`, { method: 'POST', body: `to ${path}` });
  const answers = Promise.all(['/a', '/b'].map(async (path) => (await post(path)).text()));
  while (loads === 0) await new Promise((resolve) => setImmediate(resolve));
  // While it is loaded, too.
  expect((await fetch(`${url}/health`)).status).toBe(200);
  arrive();
  expect(await answers).toEqual(['/a: to /a', '/b: to /b']);
  expect(loads).toBe(1);
  expect(await (await fetch(`${url}/health`)).text()).toBe('/health: ');
});

test('a function without a health of its own leaves that path to what is loaded', async () => {
  const url = await serve(async () => () => new Response(null, { status: 401 }), false);
  expect((await fetch(`${url}/health`)).status).toBe(401);
});

test('what cannot be loaded is logged, without its message, and ends the process', async () => {
  const { code, output } = await run(`
    import { nodeFunction } from ${urlOf('http/functions-framework.ts')};
    const log = (...line) => console.log(JSON.stringify(line));
    const { loaded } = nodeFunction({ log, load: async () => { throw new Error('secret'); } });
    setInterval(() => {}, 1000);
    await loaded();
  `);
  expect([code, output]).toEqual([1, expect.stringContaining('["error","cannot-load",')]);
  expect(output).not.toContain('secret');
});

test('no request opens a domain; a handler that fails is still answered by the framework', async () => {
  const { code, output } = await run(`
    import { createRequire } from 'node:module';
    import { dirname, join } from 'node:path';
    import { runWithoutDomains } from ${urlOf('http/functions-framework.ts')};
    const require = createRequire(process.cwd() + '/');
    const framework = dirname(require.resolve('@google-cloud/functions-framework'));
    const { wrapUserFunction } = require(join(framework, 'function_wrappers.js'));
    const handle = wrapUserFunction(async () => {
      await null;
      console.log('in a domain: ' + Boolean(process.domain));
      throw new Error('broken');
    }, 'http');
    const answer = () => ({ locals: {}, set() {}, status(code) { console.log('status ' + code); return this; }, send() {} });
    handle({}, answer());
    await new Promise(setImmediate);
    runWithoutDomains();
    handle({}, answer());
  `);
  expect(code).toBe(0);
  expect(output.match(/in a domain: \w+|status \d+/g)).toEqual([
    ...['in a domain: true', 'status 500'],
    ...['in a domain: false', 'status 500'],
  ]);
});

test.each([
  [
    'whoever waits in it is let go',
    'isDoor',
    `service.read({ tenant: 'default', user: 'ada', scopes: [] }, crypto.randomUUID(), { waitMs: 20_000 })
      .catch(({ code }) => ({ code }))`,
    '{"code":"store_unavailable"}',
  ],
  ['no job begins', 'runsJobs', "worker.run({ tenant: 'default', id: 'x' })", '{"refused":"draining"}'],
])('told to end while it is loaded: %s', async (_, what, asked, answer) => {
  const startedMs = performance.now();
  const { code, output } = await run(`
    import { createServer } from 'node:http';
    import { startFunction } from ${urlOf('runtime-start.ts')};
    const load = async ({ service, worker }) => async () => Response.json(await ${asked});
    const { answer } = startFunction({ ${what}: true, load });
    const server = createServer(answer).listen(0, '127.0.0.1', async () => {
      const asked = fetch('http://127.0.0.1:' + server.address().port);
      // Not by a real signal, which may come when all is loaded.
      server.once('request', () => process.emit('SIGTERM'));
      console.log(await (await asked).text());
    });
  `);
  expect([code, output.trim()]).toEqual([0, answer]);
  expect(performance.now() - startedMs).toBeLessThan(15_000);
});

const urlOf = (file: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../shared', file)).href);

/** Runs a program in a process of its own, and answers how it ended and what it printed. */
async function run(script: string): Promise<{ code: unknown; output: string }> {
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const child = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname, '../..'),
    // Nobody is there.
    env: { ...process.env, GOOGLE_CLOUD_PROJECT: 'demo-p', FIRESTORE_EMULATOR_HOST: '127.0.0.1:9', DRAIN_MS: '30000' },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, output };
}
