/** The programs that work on Google Cloud for us, terraform, gcloud and npm, and the questions that come before. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline/promises';
import { OperatorError, StepError } from './operating.ts';

const INSTALL: Readonly<Record<string, string>> = {
  terraform: 'terraform is not installed: take 1.9 or newer from https://developer.hashicorp.com/terraform/install.',
  gcloud: 'gcloud is not installed: take it from https://cloud.google.com/sdk/docs/install.',
};

export type Answer = { code: number; stdout: string; stderr: string };

/** Runs a program and answers all that it said. Throws a sentence where it is not installed. */
export function ask(command: string, args: readonly string[], environment: Record<string, string> = {}) {
  return started(command, args, environment, ['ignore', 'pipe', 'pipe']);
}

/** Runs a program whose lines a person reads as they come. Throws a sentence when it fails. */
export async function run(command: string, args: readonly string[], environment: Record<string, string> = {}) {
  const { code } = await started(command, args, environment, ['ignore', 'inherit', 'inherit']);
  if (code !== 0) throw new StepError(`${command} ${wordsOf(args)} failed (${code}); nothing after it was done.`);
}

/** The JSON that a program answers. Throws its own words when it fails. */
export async function askJson<T>(command: string, args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await ask(command, args);
  if (code !== 0) throw new StepError(`${command} ${wordsOf(args)} failed: ${lastLine(stderr)}`);
  try {
    return JSON.parse(stdout) as T;
  } catch {
    throw new StepError(`${command} ${wordsOf(args)} answered no JSON.`);
  }
}

/** Whether a person says yes; who says nothing, or is none, has not. */
export async function agreed(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    const said = await Promise.race([lines.question(`${question} Only "yes" does it: `), ended]);
    return said.trim() === 'yes';
  } finally {
    lines.close();
  }
}

/** A Google Cloud project's id as it was given. */
export function projectIn({ project }: { project?: string | undefined }): string {
  if (project === undefined) throw new OperatorError('--project is required: the id of a Google Cloud project.');
  if (/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(project)) return project;
  throw new OperatorError('--project must be the id of a project: 6 to 30 lower-case letters, digits and hyphens.');
}

/** Where it is, as it was given; our own when nothing was said. */
export function regionIn({ region = 'us-central1' }: { region?: string | undefined }): string {
  if (/^[a-z]+-[a-z]+\d+$/.test(region)) return region;
  throw new OperatorError('--region must be a region such as europe-west1.');
}

/** What the names of all that is deployed begin with; `variables.tf` has the same rule. */
export function nameIn({ name = 'llm-jobs' }: { name?: string | undefined }): string {
  if (/^[a-z][a-z0-9-]{1,16}[a-z0-9]$/.test(name)) return name;
  throw new OperatorError('--name must be 3 to 18 lower-case letters, digits and hyphens, a letter first.');
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'it said nothing';
}

function wordsOf(args: readonly string[]): string {
  return args
    .filter((word) => !word.startsWith('-'))
    .slice(0, 3)
    .join(' ');
}

function started(
  command: string,
  args: readonly string[],
  environment: Record<string, string>,
  stdio: ('ignore' | 'pipe' | 'inherit')[],
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio, env: { ...process.env, ...environment } });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      reject(isMissing ? new StepError(INSTALL[command] ?? `${command} is not installed.`) : error);
    });
    child.once('close', (code) => resolve({ code: code ?? 1, ...said }));
  });
}
