/** The clients of seed 004 in a browser, on `npm start`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAccounts } from '../support/operator-process.ts';
import { startLocal } from './local-service.ts';
import { promptPagesSuite } from './prompt-pages.ts';

async function startPoor() {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-poor-'));
  const environment = { DATABASE_URL: join(folder, 'jobs.db') };
  await runAccounts(environment, 'set', '--user', 'local', '--subscription', 'active');
  await runAccounts(environment, 'grant', '--user', 'local', '--tokens', '250', '--key', 'first');
  const { baseUrl, stop } = await startLocal({ ...environment, CREDITS: 'on' });
  return {
    baseUrl,
    async stop() {
      await stop();
      rmSync(folder, { recursive: true });
    },
  };
}

promptPagesSuite('npm start', startLocal, startPoor);
