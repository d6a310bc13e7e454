/** The client in a browser, on `npm start`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { clientPagesSuite } from './client-pages.ts';

async function start() {
  const { baseUrl, child } = await startLocalProcess({ PORT: String(await freePort()), DATABASE_URL: ':memory:' });
  return { baseUrl, stop: () => stopGroup(child) };
}

async function startMortal() {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-mortal-'));
  const environment = { PORT: String(await freePort()), DATABASE_URL: join(folder, 'jobs.db') };
  let { baseUrl, child } = await startLocalProcess(environment);
  return {
    baseUrl,
    async die() {
      const died = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await died;
    },
    async comeBack() {
      ({ child } = await startLocalProcess(environment));
    },
    async stop() {
      await stopGroup(child);
      rmSync(folder, { recursive: true });
    },
  };
}

clientPagesSuite('npm start', start, startMortal);
