/**
 * `npm run bench -- --only start`: how long `npm start` takes from its start to its first answer, and to the end of its
 * first job, beside a bare Node server started the same way in the same run.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { freePort, signalGroup, startGroup } from '../../infra/child-processes.ts';
import { pollToEnd, request, submit } from '../support/http-client.ts';
import { bench } from './support/bench.ts';
import { median, spread } from './support/statistics.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const BARE = "require('node:http').createServer((_, r) => r.end('ok')).listen(process.env.PORT, '127.0.0.1')";
const ROOT = join(import.meta.dirname, '../..');

type Row = { args: string[]; readyMs: number[] };

async function untilAnswered(url: string): Promise<void> {
  for (;;) {
    const isAnswered = await fetch(url).then(
      () => true,
      () => false,
    );
    if (isAnswered) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function round({ args, readyMs }: Row, folder: string, firstJobMs?: number[]): Promise<void> {
  const port = await freePort();
  const environment = { PORT: String(port), DATABASE_URL: join(folder, `${port}.db`), SIMULATED_MS: '0' };
  const startedMs = performance.now();
  const child = startGroup(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: 'ignore',
  });
  const baseUrl = `http://127.0.0.1:${port}`;
  await untilAnswered(`${baseUrl}/health`);
  readyMs.push(performance.now() - startedMs);
  if (firstJobMs) {
    await pollToEnd(baseUrl, await submit(baseUrl, request('simulated', 'first')));
    firstJobMs.push(performance.now() - startedMs);
  }
  const ended = once(child, 'exit');
  signalGroup(child, 'SIGKILL');
  await ended;
}

await bench(
  {
    name: 'start',
    title: 'How soon npm start answers',
    about:
      'From the start of the process, which translates its TypeScript, to its first answer, and to the end of a first job of the simulated provider, which takes no time. Beside it a bare HTTP server of Node, in rounds that take turns. Both log to nowhere.',
  },
  async ({ sized, say, table, plot }) => {
    const rounds = sized(5, 1);
    const folder = temporaryFolder();
    const bare: Row = { args: ['-e', BARE], readyMs: [] };
    const ours: Row = { args: ['--import', 'tsx', 'infra/start.ts'], readyMs: [] };
    const firstJobMs: number[] = [];
    for (let done = 0; done < rounds; done++) {
      say(`round ${done + 1} of ${rounds}`);
      const turns = [() => round(bare, folder), () => round(ours, folder, firstJobMs)];
      for (const turn of done % 2 === 0 ? turns : turns.reverse()) await turn();
    }
    table(`From the start, median of ${rounds}`, {
      'a bare Node server': { 'ready, ms': spread(bare.readyMs) },
      'npm start': { 'ready, ms': spread(ours.readyMs), 'first job done, ms': spread(firstJobMs) },
    });
    plot({
      title: 'From the start of the process',
      kind: 'bars',
      x: { label: '' },
      y: { label: 'ms' },
      points: [
        { x: 'a bare Node server: ready', y: median(bare.readyMs) },
        { x: 'npm start: ready', y: median(ours.readyMs) },
        { x: 'npm start: first job done', y: median(firstJobMs) },
      ],
    });
  },
);
