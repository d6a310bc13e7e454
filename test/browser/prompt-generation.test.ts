/** The clients of seed 004 in a browser, on `npm start`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { runAccounts } from '../support/operator-process.ts';
import { promptPagesSuite } from './prompt-pages.ts';

async function start(more: Record<string, string> = {}) {
  const keys = { OPENAI_API_KEY: '', GEMINI_API_KEY: '' };
  const { baseUrl, child } = await startLocalProcess({
    ...{ PORT: String(await freePort()), DATABASE_URL: ':memory:', SIMULATED_MS: '300', ...keys, ...more },
  });
  return { baseUrl, stop: () => stopGroup(child) };
}

async function startPoor() {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-poor-'));
  const environment = { DATABASE_URL: join(folder, 'jobs.db') };
  await runAccounts(environment, 'set', '--user', 'local', '--subscription', 'active');
  await runAccounts(environment, 'grant', '--user', 'local', '--tokens', '250', '--key', 'first');
  const { baseUrl, stop } = await start({ ...environment, CREDITS: 'on' });
  return {
    baseUrl,
    async stop() {
      await stop();
      rmSync(folder, { recursive: true });
    },
  };
}

promptPagesSuite('npm start', start, startPoor);
