/**
 * Runs the curl commands of seed document 002 as they stand in the document, by bash. Supplied from outside: the base
 * URL, and the real id for the placeholder `<job_id>`.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PATIENCE_MS = 30_000;
const POLL_MS = 50;

type Command = 'submit' | 'status' | 'result';
// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests ask
type Body = any;

/** What the document's session prints: each status until the job is over, then the result. */
export async function runSession(baseUrl: string): Promise<{ submitted: Body; statuses: Body[]; result: Body }> {
  const submitted = await print('submit', baseUrl);
  const statuses: Body[] = [];
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await pause()) {
    const status = await print('status', baseUrl, submitted.job_id);
    statuses.push(status);
    if (!['queued', 'started'].includes(status.status)) break;
  }
  return { submitted, statuses, result: await print('result', baseUrl, submitted.job_id) };
}

/** What one command prints. */
async function print(command: Command, baseUrl: string, jobId = ''): Promise<Body> {
  const written = readFileSync(join(import.meta.dirname, `${command}.txt`), 'utf8');
  const script = written.replace('http://localhost:8000', baseUrl).replace('<job_id>', jobId);
  const { stdout } = await run('bash', ['-c', script]);
  return JSON.parse(stdout);
}

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));
