/** A function's process from its start to its first answer, as functions-framework starts it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { bundleOf, entryPointOf, type FunctionName } from '../../../infra/bundle.ts';
import { freePort } from '../../../infra/child-processes.ts';

export const FRAMEWORK = join(
  dirname(createRequire(import.meta.url).resolve('@google-cloud/functions-framework')),
  'main.js',
);

/** What is loaded, and the request that it is started for. */
export type Start = {
  name: string;
  source: string;
  target: string;
  method?: string;
  path: string;
  body?: string;
  /** The status that the first answer must have. */
  answers: number;
};

/** A start of a bundle of ours. */
export function startOf(name: FunctionName, what: Omit<Start, 'source' | 'target'>): Start {
  return { ...what, source: bundleOf(name), target: entryPointOf(name) };
}

export type StartOptions = {
  node: string;
  environment: Record<string, string>;
  /** For Node itself. */
  options?: readonly string[];
  /** How it is ended: by force, or so that it writes what it was told to write at its end. */
  ending?: 'SIGKILL' | 'SIGTERM';
};

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts it, asks it, ends it; how long it took to answer. */
export async function startToAnswerMs(start: Start, given: StartOptions): Promise<number> {
  const { node, environment, options = [], ending = 'SIGKILL' } = given;
  const port = await freePort();
  const args = [...options, FRAMEWORK, `--source=${start.source}`, `--target=${start.target}`, `--port=${port}`];
  const startedMs = performance.now();
  const child = spawn(node, args, {
    env: { ...process.env, METADATA_SERVER_DETECTION: 'none', ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  running.add(child);
  const ended = once(child, 'exit').then(() => running.delete(child));
  try {
    const answered = await firstAnswer(port, start, child);
    if (answered !== start.answers) throw new Error(`${start.name} answered ${answered}`);
    return performance.now() - startedMs;
  } finally {
    child.kill(ending);
    await ended;
  }
}

/** Nobody listens at first; the first request that is taken is the one that is answered. */
async function firstAnswer(port: number, start: Start, child: ChildProcess): Promise<number> {
  for (;;) {
    try {
      return await ask(port, start);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ECONNREFUSED' || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

function ask(port: number, { method = 'GET', path, body }: Start): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const asked = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response: IncomingMessage) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    asked.once('error', reject).end(body);
  });
}
