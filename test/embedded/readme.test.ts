/** The README is true: its commands work as pasted, its settings are the settings, its length is bounded. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { SETTINGS } from '../../shared/config.ts';
import { ACCESS_SETTINGS } from '../../shared/config-access.ts';
import { NOTICE_SETTINGS } from '../../shared/config-notices.ts';
import { SURFACE_SETTINGS } from '../../shared/config-surfaces.ts';
import { type LocalProcess, npmStart } from '../support/local-process.ts';

const read = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
const readme = read('README.md');
const commands = [...`${readme}${read('functions/README.md')}`.matchAll(/```bash\n([\s\S]*?)```/g)]
  .map(([, code]) => code ?? '')
  .filter((code) => code.includes('curl'));

describe('the commands', () => {
  let service: LocalProcess;
  let receiverPort: number;
  beforeAll(async () => {
    receiverPort = await freePort();
    service = await npmStart({ PORT: String(await freePort()), DATABASE_URL: ':memory:', SIMULATED_MS: '0' });
  }, 30_000);
  afterAll(() => stopGroup(service.child));

  test('every curl works as pasted, one after the other in one shell', () => {
    const pause = 'sleep 0.5\n';
    const here = (code: string) =>
      code.replaceAll('http://127.0.0.1:8080', service.baseUrl).replaceAll('9000', String(receiverPort));
    const script = commands.map(here).join(pause);
    const shell = spawnSync('bash', ['-ec', script], { encoding: 'utf8' });
    const answers = shell.stdout + shell.stderr;
    expect(shell.status).toBe(0);
    expect(commands.length).toBeGreaterThanOrEqual(6);
    expect(answers).toContain('"status":"completed"');
    expect(answers).toContain('"openapi":"3.1.0"');
    expect(answers).toMatch(/"cancel_requested_at":|"status":"cancelled"/);
    expect(answers).toMatch(/"type":"job.completed".*"order":"17"/);
    expect(answers).not.toContain('"success":false');
  }, 60_000);
});

test('the settings tables are the rows of config.ts: which contracts, who may come in and what goes out, how it runs, the providers, and the others', () => {
  const rowsIn = (file: string) =>
    [
      ...read(file)
        .replaceAll(/```[\s\S]*?```/g, '')
        .matchAll(/^\| `([A-Z_]+)` \| ?(.*?) ?\| (.*) \|$/gm),
    ].map(([, variable, byDefault, meaning]) => ({
      variable,
      shownDefault: (byDefault ?? '').replaceAll('`', ''),
      meaning,
    }));
  const rowsOf = (settings: readonly { variable: string; shownDefault: string; meaning: string }[]) =>
    settings.map(({ variable, shownDefault, meaning }) => ({ variable, shownDefault, meaning }));
  const doors = rowsIn('functions/README.md');
  const running = rowsIn('infra/README.md');
  expect(doors).toEqual(rowsOf(Object.values({ ...SURFACE_SETTINGS, ...ACCESS_SETTINGS, ...NOTICE_SETTINGS })));
  const isOf = (rows: typeof doors) => (row: { variable: string }) =>
    rows.some(({ variable }) => variable === row.variable);
  const others = Object.values(SETTINGS).filter((row) => !isOf(doors)(row));
  expect(running.length).toBeGreaterThan(0);
  expect(running).toEqual(rowsOf(others.filter(isOf(running))));
  const providers = rowsIn('shared/llm/README.md');
  expect(providers.length).toBeGreaterThan(0);
  expect(providers).toEqual(rowsOf(others.filter(isOf(providers))));
  const elsewhere = [...running, ...providers];
  expect(rowsIn('README.md')).toEqual(rowsOf(others.filter((row) => !isOf(elsewhere)(row))));
});

test('the README stays under 300 lines', () => {
  expect(readme.split('\n').length).toBeLessThan(300);
});
