/** `npm run keys` on the SQLite file of `npm start`, as processes. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { readConfig } from '../../shared/config.ts';
import { apiKeyAuthenticator } from '../../shared/http/api-keys.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { rowsOf, runKeys } from '../support/operator-process.ts';
import { virtualClock } from '../support/virtual-clock.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-keys-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What the service would say of a key now: on a copy, for a process keeps the lock of a file that it had open. */
async function answerTo(key: string, file: string) {
  const copy = `${file}-${crypto.randomUUID()}`;
  for (const end of ['', '-wal']) if (existsSync(file + end)) copyFileSync(file + end, copy + end);
  const runtime = await embeddedRuntime(readConfig({ DATABASE_URL: copy }));
  try {
    const clock = virtualClock(Date.now());
    return await apiKeyAuthenticator({ store: runtime.apiKeys, clock, log: () => {} })(key);
  } finally {
    await runtime.close();
  }
}

const DATE = /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

test('a key is made, shown once, listed without it, and revoked', async () => {
  const file = join(folder, 'keys.db');
  const here = { DATABASE_URL: file };
  const script = 'KEY=$(npm run -s keys -- create --name reports --days 90); echo "[$KEY]"';
  const env = { ...process.env, KEPT_OUTPUT: '', ...here };
  const shell = spawnSync('bash', ['-ec', script], { encoding: 'utf8', env });
  const key = /^\[(llmj_[0-9a-f]{72})\]\n$/.exec(shell.stdout)?.[1] ?? '';
  expect(key).not.toBe('');
  const id = /audit act=api-key-created key_id=([0-9a-f]{12}) name=reports tenant=default user=key:reports/.exec(
    shell.stderr,
  )?.[1];
  expect(shell.stderr).toMatch(new RegExp(`Key ${id} for key:reports of tenant default; it expires at 20`));
  expect(shell.stderr).not.toContain(key.slice(5, 20));
  expect(await answerTo(key, file)).toEqual({
    principal: { tenant: 'default', user: 'key:reports', scopes: ['jobs:read', 'jobs:write'] },
  });

  const words = [
    '--name',
    'admin-tool',
    '--tenant',
    'acme',
    '--user',
    'ada@example.com',
    '--scopes',
    'admin,jobs:read',
  ];
  const second = await runKeys({ ...here, LOG_FORMAT: 'json', LOG_LEVEL: 'error' }, 'create', ...words);
  expect(second.code).toBe(0);
  expect(await answerTo(second.stdout.trim(), file)).toEqual({
    principal: { tenant: 'acme', user: 'ada@example.com', scopes: ['jobs:read', 'admin'] },
  });
  const audit = JSON.parse(second.stderr.split('\n')[0] ?? '');
  expect(audit).toMatchObject({ message: 'audit', act: 'api-key-created', tenant: 'acme', scopes: 'jobs:read,admin' });

  const revoked = await runKeys(here, 'revoke', (id ?? '').slice(0, 8));
  expect(revoked).toMatchObject({ code: 0, stdout: '' });
  expect(revoked.stderr).toContain(`audit act=api-key-revoked key_id=${id}`);
  expect(await answerTo(key, file)).toEqual({ refused: 'unknown' });

  const listed = await runKeys(here, 'list');
  const date = expect.stringMatching(DATE);
  expect(rowsOf(listed)).toEqual([
    ['id', 'name', 'tenant', 'user', 'scopes', 'created', 'expires', 'last used', 'revoked'],
    [audit.key_id, 'admin-tool', 'acme', 'ada@example.com', 'jobs:read,admin', date, '-', '-', '-'],
    [id, 'reports', 'default', 'key:reports', 'jobs:read,jobs:write', date, date, '-', date],
  ]);
  expect(listed.stdout).not.toMatch(/[0-9a-f]{16}/);
}, 60_000);

test('what is wrong is said with the usage, and nothing is opened', async () => {
  const file = join(folder, 'never.db');
  const { code, stdout, stderr } = await runKeys({ DATABASE_URL: file }, 'create', '--name', 'a b');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^--name is wrong: 1 to 64 letters.*\nUsage:/);
  expect(existsSync(file)).toBe(false);
});

test('an id that nobody has, a file that keeps nothing, and one that the service holds', async () => {
  const file = join(folder, 'held.db');
  const [missing, nowhere] = await Promise.all([
    runKeys({ DATABASE_URL: file }, 'revoke', '123456789abc'),
    runKeys({ DATABASE_URL: ':memory:' }, 'create', '--name', 'a'),
  ]);
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toContain("No key's id begins with 123456789abc");
  expect(nowhere).toMatchObject({ code: 1, stdout: '' });
  expect(nowhere.stderr).toContain('DATABASE_URL is :memory:, which keeps nothing');
  const service = await startLocalProcess({ PORT: String(await freePort()), DATABASE_URL: file });
  try {
    const held = await runKeys({ DATABASE_URL: file }, 'create', '--name', 'a');
    expect(held).toMatchObject({ code: 1, stdout: '' });
    expect(held.stderr).toBe(
      `${file} is in use by another process. Stop that one, or set DATABASE_URL to another file.\n`,
    );
  } finally {
    await stopGroup(service.child);
  }
}, 60_000);
