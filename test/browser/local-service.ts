/** `npm start` for the pages of a test, without any provider's key. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { startLocalProcess } from '../support/local-process.ts';

const KEYS = { OPENAI_API_KEY: '', GEMINI_API_KEY: '' };

export async function startLocal(more: Record<string, string> = {}) {
  const { baseUrl, child } = await startLocalProcess({
    ...{ PORT: String(await freePort()), DATABASE_URL: ':memory:', SIMULATED_MS: '300', ...KEYS, ...more },
  });
  return { baseUrl, stop: () => stopGroup(child) };
}

/** As people start it: on a file, and looked after, so that it can be broken. */
export async function startLocalSupervised(more: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
  const place = { PORT: String(await freePort()), DATABASE_URL: join(folder, 'jobs.db') };
  const environment = { ...place, SIMULATED_MS: '300', ...KEYS, ...more };
  const { baseUrl, child } = await startLocalProcess(environment, 'infra/start.ts');
  return {
    baseUrl,
    async stop() {
      await stopGroup(child);
      rmSync(folder, { recursive: true });
    },
  };
}
