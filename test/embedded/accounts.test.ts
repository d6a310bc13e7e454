/** `npm run accounts` on the SQLite file of `npm start`, and the service that goes by it, as processes. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { general, SUBMIT } from '../support/app.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { rowsOf, runAccounts } from '../support/operator-process.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-accounts-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('an account is made, given tokens once for each key, and used by the service', async () => {
  const here = { DATABASE_URL: join(folder, 'accounts.db') };
  const missing = await runAccounts(here, 'grant', '--user', 'local', '--tokens', '5');
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toContain('There is no account of local in tenant default; see set.');

  const made = await runAccounts(
    here,
    'set',
    '--user',
    'local',
    '--subscription',
    'active',
    '--budget',
    '2.5',
    '--period',
    'day',
  );
  const heads = [
    'user',
    'tenant',
    'subscription',
    'balance',
    'reserved',
    'available',
    'charged',
    'cost in USD',
    'budget',
  ];
  const rest = ['0', '0', '0 of 2.5 USD this day'];
  expect(rowsOf(made)).toEqual([heads, ['local', 'default', 'active', '0', '0', '0', ...rest]]);
  expect(made.stderr).toContain('audit act=account-set tenant=default owner=local subscription=active');
  await runAccounts(here, 'set', '--user', 'local', '--subscription', 'active');

  const grant = (tokens: string) =>
    runAccounts(here, 'grant', '--user', 'local', '--tokens', tokens, '--key', 'invoice-17');
  for (let n = 0; n < 2; n++) expect(rowsOf(await grant('1500'))[1]?.slice(3, 6)).toEqual(['1500', '0', '1500']);
  const other = await grant('1600');
  expect(other.code).toBe(1);
  expect(other.stderr).toContain('Under this Idempotency-Key 1500 tokens were granted before.');

  const service = await startLocalProcess({
    PORT: String(await freePort()),
    CREDITS: 'on',
    SIMULATED_MS: '0',
    ...here,
  });
  try {
    const submit = (input_data: object) =>
      fetch(`${service.baseUrl}${SUBMIT}?wait=5`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(general(input_data)),
      });
    const done = await submit({ prompt: 'Hello.' });
    expect(await done.json()).toMatchObject({ status: 'completed' });
    const refused = await submit({ prompt: 'Hello.', max_tokens: 4_000 });
    expect([refused.status, (await refused.json()).code]).toEqual([402, 'insufficient_credits']);
  } finally {
    await stopGroup(service.child);
  }
  const [, row = []] = rowsOf(await runAccounts(here, 'show', '--user', 'local'));
  expect(row.slice(0, 3)).toEqual(['local', 'default', 'active']);
  const [balance, reserved, available, charged] = row.slice(3).map(Number);
  expect(charged).toBeGreaterThan(0);
  expect([balance, reserved, available]).toEqual([1_500 - (charged ?? 0), 0, balance]);
}, 60_000);

test('what is wrong is said with the usage, and nothing is opened', async () => {
  const file = join(folder, 'never.db');
  const { code, stdout, stderr } = await runAccounts({ DATABASE_URL: file }, 'set', '--user', 'ada');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^--subscription must be one of active, inactive\.\nUsage:/);
  expect(existsSync(file)).toBe(false);
});
