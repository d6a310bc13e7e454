/** What the programs of operators share: their words, the store that they work on, and how they show it. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { stdoutLog } from '../shared/adapters/stdout-log.ts';
import { printAbove } from '../shared/client/progress-bar.ts';
import { type Config, readConfig } from '../shared/config.ts';
import { isTenant } from '../shared/core/ids.ts';
import type { Log } from '../shared/core/ports.ts';
import type { Runtime } from '../shared/runtime.ts';
import { explain } from './explain.ts';

/** Something that whoever called can mend, with other words. */
export class OperatorError extends Error {}

/** A step that failed, though the words were right. */
export class StepError extends Error {}

/** What words ask for: done on the stores of a runtime, those of a Google Cloud project where one is named. */
export type Operation = {
  act: (runtime: Runtime, log: Log) => Promise<void>;
  project: string | undefined;
  /** There is nothing to do in a file that is not there yet. */
  needsFile?: true;
};

/** The command that these words begin with, and the rest. Throws a sentence for people. */
export function commandOf<C extends string>(args: string[], known: Record<C, unknown>): { command: C; rest: string[] } {
  const [command = '', ...rest] = args;
  if (Object.hasOwn(known, command)) return { command: command as C, rest };
  throw new OperatorError(`${command === '' ? 'Say' : `'${command}' is unknown; say`} what to do.`);
}

/** The options of a command, each a text, those of its flags that are given, and the words beside them. */
export function wordsOf<N extends string, F extends string = never>(
  command: string,
  names: readonly N[],
  args: string[],
  flags: readonly F[] = [],
): { options: Partial<Record<N, string>>; given: ReadonlySet<F>; operands: string[] } {
  const known = [
    ...names.map((name) => [name, { type: 'string' }] as const),
    ...flags.map((name) => [name, { type: 'boolean' }] as const),
  ];
  try {
    const { values, positionals } = parseArgs({ args, options: Object.fromEntries(known), allowPositionals: true });
    const given = new Set(flags.filter((name) => (values as Record<string, unknown>)[name] === true));
    return { options: values as Partial<Record<N, string>>, given, operands: positionals };
  } catch (error) {
    // The rest of the message is about options that begin with a dash.
    const [sentence = ''] = (error as Error).message.split(/\.\s/);
    throw new OperatorError(
      `${sentence}; ${command} takes ${[...names, ...flags].map((name) => `--${name}`).join(', ')}.`,
    );
  }
}

/** A command that takes options alone. */
export function refuseOperands(command: string, operands: readonly string[]): void {
  if (operands.length > 0) throw new OperatorError(`'${operands[0]}' is one word too many for ${command}.`);
}

export function tenantIn({ tenant }: { tenant?: string | undefined }): string | undefined {
  if (tenant === undefined || isTenant(tenant)) return tenant;
  throw new OperatorError('--tenant must be 1 to 64 letters, digits, ".", "_" and "-", a letter or digit first.');
}

/** To standard output, in columns. */
export function printTable(heads: readonly string[], lines: readonly (readonly string[])[]): void {
  const widths = heads.map((head, n) => Math.max(head.length, ...lines.map((line) => line[n]?.length ?? 0)));
  for (const line of [heads, ...lines]) {
    const cells = line.map((cell, n) => cell.padEnd(widths[n] ?? 0));
    console.log(cells.join('  ').trimEnd());
  }
}

/** Does what the words of this process ask for, or says what is wrong with them and ends with 1. */
export async function operate(usage: string, operationOf: (args: string[]) => Operation): Promise<void> {
  await answering(usage, async (args) => {
    const { act, project, needsFile } = operationOf(args);
    const config = readConfig();
    // One line for each act, and what went wrong; above a progress bar, where there is one.
    const log = stdoutLog({ format: config.logFormat, level: 'warning' }, (line) => printAbove(line));
    const runtime = await runtimeFor(config, log, project, needsFile);
    try {
      await act(runtime, log);
    } finally {
      await runtime.close();
    }
  });
}

/** A program from its words to its end: what a person can mend is said in a sentence, and ends it with 1. */
export async function answering(usage: string, act: (args: string[]) => Promise<void>): Promise<void> {
  // Whoever reads the lines may go (`| head`); what was asked for is done all the same.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    if (existsSync('.env')) process.loadEnvFile('.env');
    await act(process.argv.slice(2));
  } catch (error) {
    const said = error instanceof StepError ? error.message : explain(error);
    console.error(error instanceof OperatorError ? `${error.message}\n${usage}` : said);
    process.exitCode = 1;
  }
}

/** A runtime takes a second to load: what is wrong with the words is said before. */
async function runtimeFor(config: Config, log: Log, project: string | undefined, needsFile = false): Promise<Runtime> {
  if (project === '') throw new OperatorError('--project must name a project.');
  if (project !== undefined || config.firestoreEmulatorHost) {
    const { googleRuntime } = await import('../shared/runtime.ts');
    return googleRuntime({ ...config, projectId: project ?? config.projectId }, log);
  }
  if (needsFile && config.databaseUrl !== ':memory:' && !existsSync(config.databaseUrl)) {
    throw new OperatorError(`There is no file ${config.databaseUrl} (DATABASE_URL). Or give --project.`);
  }
  if (config.databaseUrl !== ':memory:') {
    const { embeddedRuntime } = await import('../shared/runtime-embedded.ts');
    return embeddedRuntime(config, log);
  }
  throw new OperatorError('DATABASE_URL is :memory:, which keeps nothing: set it to a file, or give --project.');
}
