/**
 * `npm run bench:start`: how long `npm start` takes from its start to its first answer, and to the end of its first job,
 * beside a bare Node server started the same way in the same run.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../infra/child-processes.ts';
import { pollToEnd, request, submit } from '../support/http-client.ts';

const ROUNDS = 5;
const BARE = "require('node:http').createServer((_, r) => r.end('ok')).listen(process.env.PORT, '127.0.0.1')";

type Row = { name: string; readyMs: number[]; firstJobMs: number[] };

async function untilAnswered(url: string): Promise<void> {
  for (;;) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function round(row: Row, args: string[], folder: string, firstJob: boolean): Promise<void> {
  const port = await freePort();
  const environment = { PORT: String(port), DATABASE_URL: join(folder, `${port}.db`), SIMULATED_MS: '0' };
  const startedMs = performance.now();
  const child = spawn(process.execPath, args, { env: { ...process.env, ...environment }, stdio: 'ignore' });
  const baseUrl = `http://127.0.0.1:${port}`;
  await untilAnswered(`${baseUrl}/health`);
  row.readyMs.push(performance.now() - startedMs);
  if (firstJob) {
    await pollToEnd(baseUrl, await submit(baseUrl, request('simulated', 'first')));
    row.firstJobMs.push(performance.now() - startedMs);
  }
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

function median(values: number[]): string {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted[Math.floor(sorted.length / 2)];
  return middle === undefined
    ? ''
    : `${Math.round(middle)} ms (${Math.round(sorted[0] ?? 0)}–${Math.round(sorted.at(-1) ?? 0)})`;
}

const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-bench-'));
const bare: Row = { name: 'a bare Node server', readyMs: [], firstJobMs: [] };
const ours: Row = { name: 'npm start', readyMs: [], firstJobMs: [] };
for (let done = 0; done < ROUNDS; done++) {
  process.stderr.write(`\rround ${done + 1} of ${ROUNDS}`);
  await round(bare, ['-e', BARE], folder, false);
  await round(ours, ['--import', 'tsx', 'infra/start.ts'], folder, true);
}
process.stderr.write('\n');
rmSync(folder, { recursive: true });
console.table(
  Object.fromEntries(
    [bare, ours].map(({ name, readyMs, firstJobMs }) => [
      name,
      { ready: median(readyMs), 'first job done': median(firstJobMs) },
    ]),
  ),
);
