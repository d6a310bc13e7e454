/**
 * `npm run bench`: all programs of this folder, one after the other, and a report of them with plots, `.build/bench/report.html`.
 * `-- --only NAME` runs one (or more: `--only NAME,NAME`), `--short` as little of each as shows that it works, without
 * verdicts, and `--json` prints what was found as JSON and nothing else. Exits 1 when a program failed; a limit that is not
 * kept is told, and is no failure.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CLEAR } from '../../shared/client/progress-bar.ts';
import { machine, type Part, passes, printPart } from './support/bench.ts';
import { PROGRAMS } from './support/programs.ts';

const FOLDER = join(import.meta.dirname, '../../.build/bench');

/** What was typed makes no sense; the sentence says what would. */
class UsageError extends Error {}

type Failure = { name: string; how: string };

/** The program that runs now. */
let running: ChildProcess | undefined;

async function main(): Promise<void> {
  const { names, isShort, isJson } = wanted();
  if (!isJson) console.log(machine());
  const parts: Part[] = [];
  const failed: Failure[] = [];
  for (const [done, name] of names.entries()) {
    if (process.stderr.isTTY) process.stderr.write(`${CLEAR}${name} (${done + 1} of ${names.length})`);
    const { part, how } = await run(name, isShort);
    if (part) parts.push(part);
    else failed.push({ name, how });
    if (process.stderr.isTTY) process.stderr.write(CLEAR);
    if (!part) console.error(`${name} failed: ${how}.`);
    else if (!isJson) printPart(part);
  }
  // What draws takes half a second to load, which no program is to wait for.
  const { reportOf } = await import('./support/report.ts');
  mkdirSync(FOLDER, { recursive: true });
  const report = join(FOLDER, 'report.html');
  writeFileSync(report, reportOf(parts, { machine: machine(), at: new Date(), failed }));
  if (isJson) console.log(JSON.stringify({ machine: machine(), parts, failed, report }, null, 2));
  else console.log(`\n${summaryOf(parts, failed)}\nThe report, with plots: ${report}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

function wanted(): { names: readonly string[]; isShort: boolean; isJson: boolean } {
  const { values } = parsed();
  const names = values.only?.flatMap((list) => list.split(',')) ?? PROGRAMS;
  const unknown = names.find((name) => !PROGRAMS.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--only: there is no ${JSON.stringify(unknown)}; there are ${PROGRAMS.join(', ')}.`);
  return { names: [...new Set(names)], isShort: values.short, isJson: values.json };
}

function parsed() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        short: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    const [first = ''] = (error as Error).message.split(/\. |\n/);
    throw new UsageError(`${first.replace(/\.$/, '')}. There are --only NAME, --short and --json.`);
  }
}

function summaryOf(parts: readonly Part[], failed: readonly Failure[]): string {
  const verdicts = parts.flatMap((part) => part.verdicts);
  const kept = verdicts.filter(passes).length;
  const limits = verdicts.length > 0 ? `, ${kept} of ${verdicts.length} limits are kept` : '';
  const broken = failed.length > 0 ? `; failed: ${failed.map(({ name, how }) => `${name} (${how})`).join(', ')}` : '';
  return `${parts.length} programs ran${limits}${broken}.`;
}

/** What a program found, and how it ended. */
async function run(name: string, isShort: boolean): Promise<{ part?: Part | undefined; how: string }> {
  const child = fork(join(import.meta.dirname, `${name}.ts`), isShort ? ['--short'] : [], {
    // `--expose-gc`: memory is measured after what is not used any more is gone.
    execArgv: ['--expose-gc', '--import', 'tsx'],
    // What it says on the way is not what is asked for.
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    // JSON has no `NaN`: what could not be measured would come as null, which is at most anything.
    serialization: 'advanced',
  });
  running = child;
  let found: Part | undefined;
  child.on('message', (part: Part) => {
    found = part;
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  running = undefined;
  if (code === 0 && found) return { part: found, how: '' };
  return { how: code === 0 ? 'it ended and told nothing' : signal ? `ended by ${signal}` : `exit code ${code}` };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // The program ends what it has started, first. A second signal ends this one at once.
  process.once(signal, () => {
    running?.once('exit', () => process.exit(130)).kill('SIGTERM');
    if (!running) process.exit(130);
  });
}
main().catch((error: Error) => {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = 1;
});
