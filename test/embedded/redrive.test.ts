/** `npm run redrive` on the SQLite file of `npm start`, and the service that then runs what was made, as processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { general, LIST, type Reply, SUBMIT } from '../support/app.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { rowsOf, runRedrive } from '../support/operator-process.ts';

type View = Reply['body'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-redrive-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a dry run changes nothing, a run makes one job of each, another run none; the service runs them', async () => {
  const here = { DATABASE_URL: join(folder, 'redrive.db') };
  const serve = async <T>(use: (ask: (path: string, body?: unknown) => Promise<View>) => Promise<T>): Promise<T> => {
    const service = await startLocalProcess({ PORT: String(await freePort()), SIMULATED_MS: '0', ...here });
    try {
      return await use(async (path, body) => {
        const headers = { 'Content-Type': 'application/json' };
        const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) };
        return (await fetch(`${service.baseUrl}${path}`, init)).json();
      });
    } finally {
      await stopGroup(service.child);
    }
  };
  const views = () => serve(async (ask) => (await ask(`${LIST}?limit=100`)).jobs as View[]);

  const failed = await serve(async (ask) => {
    const submit = (prompt: string, more: object = {}) =>
      ask(`${SUBMIT}?wait=10`, { ...general({ prompt }), ...more }) as Promise<View>;
    await submit('Fine.');
    const ids: string[] = [];
    for (const tag of ['a', 'a', 'b']) ids.push((await submit('[simulate fail=auth]', { tags: [tag] })).job_id);
    return ids;
  });

  const before = await views();
  const dry = await runRedrive(here, '--code', 'auth', '--dry-run');
  expect(dry).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('3 jobs would be redriven. Nothing was changed.'),
  });
  const [heads, ...rows] = rowsOf(dry);
  expect(heads).toEqual(['id', 'user', 'type', 'model', 'code', 'ended']);
  expect(rows.map(([id]) => id).sort()).toEqual([...failed].sort());
  for (const row of rows) {
    expect(row.slice(1)).toEqual(['local', 'general_llm_request', 'Simulated', 'auth', expect.stringMatching(/Z$/)]);
  }
  expect(await views()).toEqual(before);

  const none = await runRedrive(here, '--code', 'rate_limited');
  expect(none).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('0 jobs redriven.') });
  const some = await runRedrive(here, '--tag', 'a', '--limit', '1');
  expect(some).toMatchObject({ code: 0, stderr: expect.stringContaining('1 job redriven.') });
  expect(some.stderr).toMatch(/audit act=redrive actor=operator tenant=default job_id=\S+ owner=local/);
  const rest = await runRedrive(here);
  expect(rest).toMatchObject({ code: 0, stderr: expect.stringContaining('2 jobs redriven, 1 redriven before.') });
  const again = await runRedrive(here);
  expect(again).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringContaining('0 jobs redriven, 3 redriven before'),
  });

  const pairs = new Map(
    [some, rest].flatMap(({ stdout }) => stdout.trim().split('\n')).map((line) => line.split(' ') as [string, string]),
  );
  expect([...pairs.keys()].sort()).toEqual([...failed].sort());
  await serve(async (ask) => {
    for (const [old, made] of pairs) {
      expect(await ask(`/api/llm/jobs/${old}/status/`)).toMatchObject({ status: 'failed', retried_as: made });
      const path = `/api/llm/jobs/${made}/status/`;
      await expect.poll(async () => (await ask(path)).is_complete, { timeout: 20_000 }).toBe(true);
      expect(await ask(path)).toMatchObject({ status: 'failed', error_code: 'auth', retry_of: old });
    }
    expect((await ask(LIST)).jobs).toHaveLength(7);
  });
}, 120_000);

test('whoever reads what it prints may go', async () => {
  const file = join(folder, 'unread.db');
  writeFileSync(file, '');
  // As npm runs it: the bundle that other tests start did not fail of it.
  const words = [process.execPath, '--import', 'tsx', 'infra/redrive.ts', '--dry-run'];
  const child = spawn('sh', ['-c', '"$@" | true', 'sh', ...words], {
    env: { ...process.env, KEPT_OUTPUT: '', FIRESTORE_EMULATOR_HOST: '', DATABASE_URL: file },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(said).toBe('0 jobs would be redriven. Nothing was changed.\n');
});

test('what is wrong is said with the usage, and nothing is opened', async () => {
  const file = join(folder, 'never.db');
  const { code, stdout, stderr } = await runRedrive({ DATABASE_URL: file }, '--status', 'pending');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^--status must be failed or cancelled\.\nUsage:/);
  const nowhere = await runRedrive({ DATABASE_URL: file }, '--dry-run');
  expect([nowhere.code, nowhere.stderr]).toEqual([
    1,
    expect.stringContaining(`There is no file ${file} (DATABASE_URL)`),
  ]);
  expect(existsSync(file)).toBe(false);
});
