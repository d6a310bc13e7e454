/** Starts that go wrong: a sentence for the person, nothing taken over, nothing paid for. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, startGroup, stopGroup } from '../../infra/child-processes.ts';
import { pollToEnd, pollUntil, readStatus, request, submit } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { argumentsFor } from '../support/programs.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(environment: Record<string, string>) {
  return spawnSync(process.execPath, argumentsFor('infra/local.ts'), {
    env: { ...process.env, PORT: '0', DATABASE_URL: ':memory:', ...environment },
    encoding: 'utf8',
    timeout: 15_000,
  });
}

test.each<[string, () => Record<string, string>, string]>([
  ['a file in a folder that is not there', () => ({ DATABASE_URL: join(folder, 'none', 'x.db') }), 'cannot be opened'],
  ['a folder for a file', () => ({ DATABASE_URL: folder }), 'cannot be opened'],
  ['a file that is no database', () => ({ DATABASE_URL: notes() }), 'cannot be opened'],
  ['another database', () => ({ DATABASE_URL: 'postgres://localhost/jobs' }), 'DATABASE_URL must be a file'],
  ["an address that is not this machine's", () => ({ HOST: '192.0.2.1' }), 'Set HOST'],
  ['wrong settings', () => ({ PORT: 'x', LEASE_MS: 'y' }), 'LEASE_MS must be'],
])('%s', (_, environment, sentence) => {
  const { status, stderr } = start(environment());
  expect(status).toBe(1);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/^\s+at /m);
});

test('EVENTS_TOPIC, where there is no Pub/Sub: one line says so, and jobs run as ever', async () => {
  const environment = { EVENTS_TOPIC: 'llm-jobs-events', DATABASE_URL: ':memory:', SIMULATED_MS: '0' };
  const port = String(await freePort());
  const child = startGroup(process.execPath, argumentsFor('infra/local.ts'), {
    env: { ...process.env, ...environment, PORT: port },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  try {
    await expect.poll(() => printed, { timeout: 20_000 }).toContain('llm-jobs is ready');
    await pollToEnd(`http://127.0.0.1:${port}`, await submit(`http://127.0.0.1:${port}`, request('simulated', 'Hi.')));
    expect(printed.split('\n').filter((line) => /warning|error/.test(line))).toEqual([
      expect.stringContaining('warning events-topic-ignored topic=llm-jobs-events'),
    ]);
  } finally {
    await stopGroup(child);
  }
}, 40_000);

function notes(): string {
  const file = join(folder, 'notes.txt');
  writeFileSync(file, 'This is not a database. '.repeat(100));
  return file;
}

test('a start on a port that is taken says so, and leaves the interrupted job to the next one', async () => {
  const environment = {
    PORT: String(await freePort()),
    DATABASE_URL: join(folder, 'jobs.db'),
    SIMULATED_MS: '1500',
  };
  const first = await startLocalProcess(environment);
  const id = await submit(first.baseUrl, request('simulated', 'Interrupt me.'));
  await pollUntil(first.baseUrl, id, (view) => view.status === 'processing');
  const died = new Promise((resolve) => first.child.once('exit', resolve));
  first.child.kill('SIGKILL');
  await died;

  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  const taken = String((squatter.address() as AddressInfo).port);
  const failed = start({ ...environment, PORT: taken });
  squatter.close();
  expect(failed.stderr).toContain('Set PORT to another port');
  expect(failed.stdout).not.toContain('attempt-started');

  const next = await startLocalProcess(environment);
  try {
    await pollToEnd(next.baseUrl, id);
    expect((await readStatus(next.baseUrl, id)).attempts).toMatchObject([
      { outcome: 'lost' },
      { outcome: 'completed' },
    ]);
  } finally {
    await stopGroup(next.child);
  }
}, 40_000);

test('a page whose name leads here is not answered, and its database is for its user alone', async () => {
  const file = join(folder, 'own.db');
  const local = await startLocalProcess({ PORT: String(await freePort()), DATABASE_URL: file, SIMULATED_MS: '0' });
  const statusFor = (host: string) =>
    new Promise((resolve, reject) => {
      const headers = { host, origin: `http://${host}` };
      get(`${local.baseUrl}/api/llm/jobs/`, { headers }, ({ statusCode }) => resolve(statusCode))
        .on('response', (response) => response.resume())
        .on('error', reject);
    });
  try {
    await submit(local.baseUrl, request('simulated', 'Hi'));
    for (const host of ['localhost:8080', '127.0.0.1', '[::1]:8080', 'app.localhost']) {
      expect(await statusFor(host), host).toBe(200);
    }
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:8080', '169.254.169.254']) {
      expect(await statusFor(host), host).toBe(403);
    }
    for (const name of [file, `${file}-wal`]) expect(statSync(name).mode & 0o077, name).toBe(0);
  } finally {
    await stopGroup(local.child);
  }
});
