/**
 * `npm run bench`: all programs of this folder, one after the other, and a report of them with plots, `.build/bench/report.html`.
 * `-- --only NAME` runs one (or more: `--only NAME,NAME`), `--short` as little of each as shows that it works, without
 * verdicts, and `--json` prints what was found as JSON and nothing else. Exits 1 when a program failed; a limit that is not
 * kept is told, and is no failure.
 */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine, type Part, passes, printPart } from './support/bench.ts';
import { reportOf } from './support/report.ts';

/** What a deployment costs and can first; what a machine does in seconds before what takes minutes. */
const PROGRAMS = [
  ...['emulators', 'embedded', 'operations', 'growth', 'readers', 'results', 'batch', 'stream'],
  ...['cold-start', 'start', 'takeover', 'refusals', 'estimates', 'large', 'console'],
];
const FOLDER = join(import.meta.dirname, '../../.build/bench');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const names = values.only?.split(',') ?? PROGRAMS;
  const unknown = names.find((name) => !PROGRAMS.includes(name));
  if (unknown !== undefined) throw new Error(`--only: there is no ${unknown}; there are ${PROGRAMS.join(', ')}.`);
  if (!values.json) console.log(machine());
  const parts: Part[] = [];
  const failed: string[] = [];
  for (const name of names) {
    const part = await run(name, values.short);
    if (part) parts.push(part);
    else failed.push(name);
    if (part && !values.json) printPart(part);
  }
  mkdirSync(FOLDER, { recursive: true });
  const report = join(FOLDER, 'report.html');
  writeFileSync(report, reportOf(parts, { machine: machine(), at: new Date() }));
  if (values.json) console.log(JSON.stringify({ machine: machine(), parts, failed }, null, 2));
  else console.log(`\n${summaryOf(parts, failed)}\nThe report, with plots: ${report}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

function summaryOf(parts: readonly Part[], failed: readonly string[]): string {
  const verdicts = parts.flatMap((part) => part.verdicts);
  const kept = verdicts.filter(passes).length;
  const limits = verdicts.length > 0 ? `, ${kept} of ${verdicts.length} limits are kept` : '';
  const broken = failed.length > 0 ? `; failed: ${failed.join(', ')}` : '';
  return `${parts.length} programs ran${limits}${broken}.`;
}

/** What a program found; `undefined` where it failed, which it said itself. */
function run(name: string, isShort: boolean): Promise<Part | undefined> {
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, `${name}.ts`), isShort ? ['--short'] : [], {
      // `--expose-gc`: memory is measured after what is not used any more is gone.
      execArgv: ['--expose-gc', '--import', 'tsx'],
      // What it says on the way is not what is asked for.
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    });
    let found: Part | undefined;
    child.on('message', (part: Part) => {
      found = part;
    });
    child.once('exit', (code) => resolve(code === 0 ? found : undefined));
  });
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
