/** The command line in this process, with streams that are kept, and as a process of its own; a service for it. */
import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { startLocal } from '../../infra/local.ts';
import { runCommand } from '../../shared/client/commands.ts';
import { readConfig } from '../../shared/config.ts';
import { argumentsFor } from './programs.ts';

export type Ran = { code: number; stdout: string; stderr: string };

export type Circumstances = {
  /** Are both standard output and standard error a terminal, or the latter alone? */
  tty?: boolean | 'stderr';
  /** What comes through a pipe, which a stream may leave open. */
  stdin?: string | Uint8Array | Readable;
  environment?: Record<string, string>;
  signal?: AbortSignal;
  fetch?: typeof fetch;
};

/** Runs the command that these words say. */
export async function llmJobs(words: readonly string[], circumstances: Circumstances = {}): Promise<Ran> {
  const { tty = false, stdin, environment = {}, signal = new AbortController().signal } = circumstances;
  const ran: Ran = { code: -1, stdout: '', stderr: '' };
  const printer = (name: 'stdout' | 'stderr') => ({
    isTTY: tty === true || tty === name,
    columns: 100,
    write(text: string, done?: () => void) {
      ran[name] += text;
      done?.();
    },
  });
  const piped = stdin instanceof Readable ? stdin : Readable.from(stdin === undefined ? [] : [Buffer.from(stdin)]);
  ran.code = await runCommand(words, {
    stdin: Object.assign(piped, { isTTY: stdin === undefined }),
    stdout: printer('stdout'),
    stderr: printer('stderr'),
    environment,
    signal,
    fetch: circumstances.fetch ?? fetch,
    version: '1.2.3',
  });
  return ran;
}

const PROGRAM = argumentsFor('shared/client/command-line.ts');
/** The program as a word of a shell. */
export const SHELL_PROGRAM = [process.execPath, ...PROGRAM].map((word) => `'${word}'`).join(' ');

/** Runs it as a process, through a shell where `words` is a text; `onOutput` may send it a signal. */
export function startLlmJobs(
  words: readonly string[] | string,
  environment: Record<string, string>,
  onOutput: (ran: Ran, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ran> {
  const [command, args] =
    typeof words === 'string' ? ['bash', ['-c', words]] : [process.execPath, [...PROGRAM, ...words]];
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  const ran: Ran = { code: -1, stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      ran[name] += text;
      onOutput(ran, (signal) => child.kill(signal));
    });
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...ran, code: code ?? -1 })));
}

export type Served = {
  baseUrl: string;
  environment: Record<string, string>;
  /** Runs a command against the service. */
  run(words: readonly string[], circumstances?: Circumstances): Promise<Ran>;
  /** Submits a job to the simulated model, and answers its id. */
  submit(...words: string[]): Promise<string>;
  close(): Promise<void>;
};

/** Starts an embedded service that keeps nothing. */
export async function startServed(): Promise<Served> {
  const quick = { DATABASE_URL: ':memory:', LOG_LEVEL: 'error', SIMULATED_MS: '0', DRAIN_MS: '0', RATE_LIMITS: 'off' };
  const { baseUrl, close } = await startLocal({ ...readConfig(quick), port: 0 });
  const environment = { LLM_JOBS_URL: baseUrl };
  const run: Served['run'] = (words, more = {}) =>
    llmJobs(words, { ...more, environment: { ...environment, ...more.environment } });
  return {
    baseUrl,
    environment,
    run,
    async submit(...words) {
      const { stdout, stderr } = await run(['submit', '--model', 'simulated', ...words]);
      if (stderr !== '') throw new Error(stderr);
      return JSON.parse(stdout).job_id;
    },
    close,
  };
}

/** The lines that a command printed, each of them JSON. */
// biome-ignore lint/suspicious/noExplicitAny: what is printed is what the tests ask
export function jsonOf({ stdout }: Ran): any[] {
  if (!stdout.endsWith('\n')) throw new Error(`the last line is not one: ${stdout.slice(-100)}`);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The bar as it is drawn when it is empty, or full, with what is beside it. */
export function drawn(cell: '░' | '█', beside: string): string {
  return `\r\u001b[K[${cell.repeat(30)}] ${beside}`;
}
