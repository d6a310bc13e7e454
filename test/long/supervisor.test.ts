/** `npm start` looks after its service: how both end, and that the next start finds everything free. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, isFree, signalGroup, startGroup, stopGroup } from '../../infra/child-processes.ts';
import { SUPERVISOR } from '../../infra/supervised.ts';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobStore } from '../../shared/adapters/sqlite-job-store.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { ask, pollToEnd, pollUntil, readStatus, request, submit } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { argumentsFor } from '../support/programs.ts';

const PROGRAM = 'infra/start.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const inMemory = async () => ({ PORT: String(await freePort()), DATABASE_URL: ':memory:', SIMULATED_MS: '0' });

const untilHealthy = (port: string) =>
  expect
    .poll(
      () =>
        fetch(`http://127.0.0.1:${port}/health`).then(
          ({ ok }) => ok,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);

const endOf = (child: ChildProcess) =>
  new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));

test('a wrong setting is told once, and ends it with 1', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, argumentsFor(PROGRAM), {
    env: { ...process.env, DATABASE_URL: ':memory:', PORT: 'x' },
    encoding: 'utf8',
    timeout: 15_000,
  });
  expect(status).toBe(1);
  expect(stderr.match(/PORT must be/g)).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stdout).toBe('');
});

test.concurrent.each([
  ['SIGTERM to it alone', (child) => child.kill('SIGTERM')],
  ['SIGINT to it alone', (child) => child.kill('SIGINT')],
  ['SIGTERM to both', (child) => signalGroup(child, 'SIGTERM')],
  ['Ctrl-C, which goes to both', (child) => signalGroup(child, 'SIGINT')],
  ['SIGTERM, while the store is frozen,', (child) => child.kill('SIGTERM'), 'freeze-store'],
] as [string, (child: ChildProcess) => void, string?][])(
  '%s ends both, with 0, and what is under way is given back first',
  async (_, end, deed) => {
    const file = join(folder, `${crypto.randomUUID()}.db`);
    const environment = { PORT: String(await freePort()), DATABASE_URL: file, DRAIN_MS: '100' };
    const { baseUrl, child } = await startLocalProcess(environment, PROGRAM);
    const id = await submit(baseUrl, request('simulated', 'Be long. [simulate seconds=20]'));
    await pollUntil(baseUrl, id, ({ status }) => status === 'processing');
    if (deed) expect(await ask(baseUrl, `/break-it/${deed}/`, { seconds: 30 })).toMatchObject({ status: 200 });
    const ended = endOf(child);
    end(child);
    expect(await ended).toBe(0);
    expect(await isFree(Number(environment.PORT))).toBe(true);
    // Handed back, not lost.
    const database = openDatabase(file);
    const found = await sqliteJobStore(database, systemClock()).get({ tenant: 'default', id });
    database.close();
    expect(found?.job.attempts).toMatchObject([{ outcome: 'released' }]);
  },
  40_000,
);

test('a second Ctrl-C ends both at once', async () => {
  const environment = { ...(await inMemory()), DRAIN_MS: '60000' };
  const { baseUrl, child } = await startLocalProcess(environment, PROGRAM);
  const id = await submit(baseUrl, request('simulated', 'Be long. [simulate seconds=20]'));
  await pollUntil(baseUrl, id, ({ status }) => status === 'processing');
  const ended = endOf(child);
  signalGroup(child, 'SIGINT');
  // It takes no more requests: the first one was heard.
  await expect.poll(() => isFree(Number(environment.PORT)), { timeout: 10_000 }).toBe(true);
  expect(child.exitCode).toBeNull();
  signalGroup(child, 'SIGINT');
  expect(await ended).toBe(130);
}, 40_000);

test('kill -9 of what people started, and a start right after it, again and again', async () => {
  const environment = {
    ...{ PORT: String(await freePort()), DATABASE_URL: join(folder, 'jobs.db'), SIMULATED_MS: '700' },
  };
  let service = await startLocalProcess(environment, PROGRAM);
  try {
    const ids: string[] = [];
    for (let round = 0; round < 2; round++) {
      const id = await submit(service.baseUrl, request('simulated', `Interrupt me, ${round}.`));
      ids.push(id);
      await pollUntil(service.baseUrl, id, ({ status }) => status === 'processing');
      const ended = endOf(service.child);
      service.child.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
      service = await startLocalProcess(environment, PROGRAM);
      // It is the new one that answers: the old one's port was free for it.
      expect(service.child.exitCode).toBeNull();
      expect((await readStatus(service.baseUrl, id)).attempts[0]).toMatchObject({ outcome: 'lost' });
    }
    for (const id of ids) expect(await pollToEnd(service.baseUrl, id)).toMatchObject({ status: 'completed' });
  } finally {
    await stopGroup(service.child);
  }
}, 60_000);

test('a service that is killed is started again, with a line that says so; who looks after it ends as it does', async () => {
  const environment = { PORT: String(await freePort()), DATABASE_URL: join(folder, 'killed.db') };
  const child = startGroup(process.execPath, argumentsFor(PROGRAM), {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const starts = () => printed.match(/llm-jobs is ready/g)?.length ?? 0;
  const baseUrl = `http://127.0.0.1:${environment.PORT}`;
  try {
    for (let kills = 1; kills <= 2; kills++) {
      await expect.poll(starts, { timeout: 20_000 }).toBe(kills);
      expect(await ask(baseUrl, '/break-it/kill-worker/', {})).toMatchObject({ status: 200 });
      await expect.poll(starts, { timeout: 20_000 }).toBe(kills + 1);
    }
    expect(printed.match(/^The service died \(SIGKILL\); starting it again$/gm)).toHaveLength(2);
    const { body } = await ask(baseUrl, '/break-it/');
    expect(body.counters.kills).toBe(2);
  } finally {
    await stopGroup(child);
  }
}, 60_000);

test('a service whose supervisor dies while it loads is no orphan that holds the port', async () => {
  const [program = '', ...words] = argumentsFor('infra/local.ts').reverse();
  const env = { ...process.env, ...(await inMemory()) };
  const service = fork(program, [SUPERVISOR, 'http://127.0.0.1:9'], {
    env,
    execArgv: words.reverse(),
    stdio: 'ignore',
  });
  try {
    service.disconnect();
    expect(await Promise.race([endOf(service), untilHealthy(env.PORT)])).toBe('SIGKILL');
  } finally {
    service.kill('SIGKILL');
  }
}, 40_000);

test('whose lines nobody reads any more, it serves, is killed and comes back all the same', async () => {
  const environment = { PORT: String(await freePort()), DATABASE_URL: join(folder, 'unread.db'), SIMULATED_MS: '0' };
  const child = startGroup(process.execPath, argumentsFor(PROGRAM), {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const baseUrl = `http://127.0.0.1:${environment.PORT}`;
  try {
    await untilHealthy(environment.PORT);
    child.stdout?.destroy();
    const runOne = async () => pollToEnd(baseUrl, await submit(baseUrl, request('simulated', 'Hello.')));
    expect(await runOne()).toMatchObject({ status: 'completed' });
    expect(await ask(baseUrl, '/break-it/kill-worker/', {})).toMatchObject({ status: 200 });
    const kills = async () => (await ask(baseUrl, '/break-it/').catch(() => undefined))?.body.counters.kills;
    await expect.poll(kills, { timeout: 20_000 }).toBe(1);
    expect(await runOne()).toMatchObject({ status: 'completed' });
    expect(child.exitCode).toBeNull();
  } finally {
    await stopGroup(child);
  }
}, 60_000);
