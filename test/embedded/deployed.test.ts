/**
 * Each function as it is deployed: its folder, and of the packages beside it those that its lock file names, where nothing
 * else is. Started by functions-framework and called.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleAll, entryPointOf, FUNCTIONS, type FunctionName } from '../../infra/bundle.ts';
import { lockOf, manifestOf } from '../../infra/bundle-packages.ts';
import { freePort, startGroup, stopGroup, untilListening } from '../../infra/child-processes.ts';
import { buildClientScript } from '../../infra/client-script.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-deployed-'));

/** In place of Firestore: hangs up on everybody, and counts them. */
let firestore: Server;
let calls = 0;
let firestoreHost = '';

beforeAll(async () => {
  const bundles = await bundleAll({ sourcemap: false, into: folder });
  for (const [name, bundle] of bundles) {
    const { '': _, ...packages } = lockOf(manifestOf(name, bundle)).packages;
    // Nested packages are copied with the one around them.
    for (const path of Object.keys(packages).filter((path) => path.split('node_modules/').length === 2)) {
      cpSync(join(ROOT, path), join(folder, name, path), {
        ...{ recursive: true, dereference: true },
        filter: (file) => !file.endsWith('.map'),
      });
    }
  }
  firestore = createServer((socket) => {
    calls += 1;
    socket.on('error', () => undefined).destroy();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => firestore.listen(port, '127.0.0.1', resolve));
  firestoreHost = `127.0.0.1:${port}`;
}, 60_000);

afterAll(() => {
  firestore.close();
  rmSync(folder, { recursive: true, force: true });
  // Tens of thousands of files.
}, 60_000);

async function started(name: FunctionName) {
  const port = await freePort();
  const source = join(folder, name);
  const framework = join(source, 'node_modules/@google-cloud/functions-framework/build/src/main.js');
  const args = [framework, `--source=${source}`, `--target=${entryPointOf(name)}`, `--port=${port}`];
  const lines: string[] = [];
  const child = startGroup(process.execPath, args, {
    cwd: source,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH: process.env.PATH, LOG_FORMAT: 'json', METADATA_SERVER_DETECTION: 'none' },
      ...{ GOOGLE_CLOUD_PROJECT: 'demo-deployed', FIRESTORE_EMULATOR_HOST: firestoreHost },
    },
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => void lines.push(text));
  }
  await untilListening(port, child, 20_000);
  return {
    lines,
    ask: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init),
    stop: () => stopGroup(child),
  };
}

const JOB = '/api/llm/jobs/0197b1a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b';
const body = JSON.stringify({ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'Hi.' } });
const posted = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body };

const PAGES: FunctionName[] = ['console'];
const DOORS: [FunctionName, string, RequestInit][] = [
  ['submit', '/api/llm/jobs/submit/', posted],
  ['status', `${JOB}/status/`, {}],
  ['stream', `${JOB}/stream/`, {}],
  ['api', `${JOB}/status/`, {}],
];
const CALLED: [FunctionName, number, RegExp][] = [
  ['worker', 503, /store_unavailable/],
  ['sweeper', 503, /sweep-failed/],
  ['dead-letter', 204, /doorbell-dead/],
];

describe('deployed alone', () => {
  test.each(DOORS)('%s is healthy, shows its pages, has the client, and asks Firestore', async (name, path, init) => {
    const { ask, stop } = await started(name);
    try {
      const health = await ask('/health');
      expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
      const before = calls;
      const asked = await ask(path, init);
      expect([asked.status, await asked.json()]).toMatchObject([503, { code: 'store_unavailable' }]);
      expect(calls).toBeGreaterThan(before);
      // Now the application answers it, in the same words.
      const later = await ask('/health');
      expect([later.status, await later.json()]).toEqual([200, { status: 'ok' }]);
      const client = await ask('/client.js');
      const script = client.ok ? await client.text() : '';
      if (name !== 'status' && name !== 'api') {
        expect(client.status).toBe(404);
        return;
      }
      expect(script).toBe(await buildClientScript());
      const page = await ask('/docs/swagger-ui.css');
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
    } finally {
      await stop();
    }
  });

  test.each(PAGES)('%s is healthy, shows its page and its files, and asks nobody', async (name) => {
    const { ask, stop, lines } = await started(name);
    try {
      const before = calls;
      const health = await ask('/health');
      expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
      const page = await ask('/');
      const text = await page.text();
      expect([page.status, page.headers.get('content-security-policy')]).toEqual([
        200,
        expect.stringContaining("default-src 'none'"),
      ]);
      const files = [...text.matchAll(/"(\/console\/[^"]+)"/g)].map(([, path = '']) => path);
      expect(files.length).toBeGreaterThan(1);
      for (const file of files) expect([file, (await ask(file)).status]).toEqual([file, 200]);
      for (const path of ['/api/llm/jobs/', '/docs', '/console/nothing.js', '/%', '/console/%ff']) {
        const missing = await ask(path);
        expect([path, missing.status]).toEqual([path, 404]);
        expect(await missing.json()).toMatchObject({ success: false, code: 'route_not_found' });
      }
      expect((await ask('/', posted)).status).toBe(405);
      expect([calls, lines.filter((line) => line.includes('ERROR'))]).toEqual([before, []]);
    } finally {
      await stop();
    }
  });

  test.each(CALLED)('%s is called by its own door', async (name, status, line) => {
    const { ask, stop, lines } = await started(name);
    try {
      const data = Buffer.from(JSON.stringify({ tenant: 'default', job_id: JOB.slice(-36) })).toString('base64');
      const before = calls;
      const rung = await ask('/', { ...posted, body: JSON.stringify({ message: { data, messageId: '1' } }) });
      expect(rung.status, lines.join('')).toBe(status);
      expect(lines.join('')).toMatch(line);
      if (status === 503) expect(calls).toBeGreaterThan(before);
    } finally {
      await stop();
    }
  });

  test('is every function', () => {
    expect([...PAGES, ...[...DOORS, ...CALLED].map(([name]) => name)].sort()).toEqual([...FUNCTIONS].sort());
  });
});
