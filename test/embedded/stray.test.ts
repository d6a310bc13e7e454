/** W13 for `npm start`: a careless library in one job, and a port that somebody else has. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { pollToEnd, request, submit } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { startProvider } from '../support/provider.ts';

const STRAY = pathToFileURL(join(import.meta.dirname, '../support/stray-fetch.mjs')).href;

test('W13: a stray rejection and a stray exception leave the process and its other jobs alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
  const provider = await startProvider();
  const service = await startLocalProcess({
    ...provider.environment,
    PORT: String(await freePort()),
    DATABASE_URL: join(folder, 'jobs.db'),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import ${STRAY}`,
  });
  try {
    const neighbour = (n: number) => request('simulated', `Neighbour ${n}. [simulate seconds=2]`);
    const others = await Promise.all([1, 2, 3].map((n) => submit(service.baseUrl, neighbour(n))));
    const careless = await submit(service.baseUrl, request('gpt-4o', 'A careless [stray] prompt.'));
    for (const id of [careless, ...others]) {
      expect(await pollToEnd(service.baseUrl, id)).toMatchObject({
        status: 'completed',
        attempts: [{ n: 1, calls: 1, outcome: 'completed' }],
      });
    }
    // The careless call was made, and with it what it left behind.
    expect(provider.callsAbout('[stray]')).toBe(1);
    expect(service.child.exitCode).toBeNull();
  } finally {
    await stopGroup(service.child);
    await provider.stop();
    rmSync(folder, { recursive: true });
  }
}, 40_000);

test('a function whose port somebody else has does not start, and says why', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    const code = `
      import { createServer } from 'node:http';
      import { endByOurselves } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../shared/http/functions-framework.ts')).href)};
      endByOurselves({ log: (...line) => console.log(JSON.stringify(line)), graceMs: 0 });
      createServer().listen(${port}, '127.0.0.1');
      setTimeout(() => {}, 10_000);`;
    const started = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      encoding: 'utf8',
      timeout: 15_000,
    });
    expect(started.status).toBe(1);
    expect(started.stdout).toContain('EADDRINUSE');
  } finally {
    taken.close();
  }
}, 20_000);
