/** `npm run bench -- --short`: every program runs, and is in the report. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { findEmulators } from '../../infra/emulator-processes.ts';
import type { Part } from '../bench/support/bench.ts';
import { PROGRAMS } from '../bench/support/programs.ts';
import { runBench } from '../support/bench-process.ts';
import { findChromium } from '../support/chromium.ts';

type Found = { parts: Part[]; failed: object[]; report: string };

/** Is all here that a program may need? */
function hasAll(): boolean {
  try {
    findEmulators();
  } catch {
    return false;
  }
  return existsSync('/proc') && findChromium() !== undefined && !spawnSync('redis-server', ['--version']).error;
}

test('every program has something to show, and judges nothing', async () => {
  const startedMs = Date.now();
  const { code, stdout, stderr } = await runBench('--short', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) });
  const { parts, failed, report } = JSON.parse(stdout) as Found;
  expect(failed).toEqual([]);
  expect(parts.map(({ name }) => name)).toEqual(PROGRAMS);
  for (const { name, isShort, verdicts, tables, leftOut } of parts) {
    expect({ name, isShort, verdicts }).toEqual({ name, isShort: true, verdicts: [] });
    if (!hasAll()) continue;
    expect({ name, leftOut }).toEqual({ name, leftOut: [] });
    expect({ name, rows: tables.map(({ rows }) => Object.keys(rows).length > 0) }).toEqual({
      ...{ name, rows: tables.map(() => true) },
    });
    expect({ name, tables: tables.length > 0 }).toEqual({ name, tables: true });
  }
  expect(statSync(report).mtimeMs).toBeGreaterThan(startedMs);
  const page = readFileSync(report, 'utf8');
  expect(page).toContain('<svg');
  for (const name of PROGRAMS) expect(page).toContain(`<section id="${name}">`);
});
