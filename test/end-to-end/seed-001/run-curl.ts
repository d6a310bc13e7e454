/**
 * Runs the curl lines of seed document 001 as they stand in the document, through bash. Supplied from outside: the base
 * URL, and the id of a real job for the document's example. Answers what curl printed.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const BASE_URL = 'http://localhost:3000';
const ID = '123e4567-e89b-12d3-a456-426614174000';
const TIMEOUT_MS = 30_000;

/** The first example: creates a job. */
export const runCreate = (baseUrl: string) => run('create', baseUrl);

/** The second one: streams a job. */
export const runStream = (baseUrl: string, id: string) => run('stream', baseUrl, id);

async function run(name: 'create' | 'stream', baseUrl: string, id = ID): Promise<string> {
  const written = readFileSync(join(import.meta.dirname, `${name}.txt`), 'utf8');
  const command = written.replace(BASE_URL, baseUrl).replace(ID, id);
  return (await promisify(execFile)('bash', ['-c', command], { timeout: TIMEOUT_MS })).stdout;
}
