/** The embedded service under repeated SIGKILL: no accepted job is lost, and no attempt goes unrecorded. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { pollToEnd, request, submit } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { startProvider } from '../support/provider.ts';

const JOBS = 60;
const KILLS = 12;

test('60 jobs survive 12 kills at random instants', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
  const provider = await startProvider();
  const environment = {
    PORT: String(await freePort()),
    DATABASE_URL: join(folder, 'jobs.db'),
    OPENAI_API_KEY: 'sk-test',
    OPENAI_BASE_URL: provider.baseUrl,
  };
  let service = await startLocalProcess(environment);
  try {
    const prompts = Array.from({ length: JOBS }, (_, index) => `kill test ${index}.`);
    const ids: string[] = [];
    let kills = 0;
    for (const [index, prompt] of prompts.entries()) {
      ids.push(await submit(service.baseUrl, request('gpt-4o', prompt)));
      if (index % Math.floor(JOBS / KILLS) === 0) {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 1_500));
        const died = new Promise((resolve) => service.child.once('exit', (_, signal) => resolve(signal)));
        service.child.kill('SIGKILL');
        if ((await died) === 'SIGKILL') kills += 1;
        service = await startLocalProcess(environment);
      }
    }
    expect(kills).toBe(KILLS);
    const views = await Promise.all(ids.map((id) => pollToEnd(service.baseUrl, id, 120_000)));
    expect(views.map((view) => view.status)).toEqual(ids.map(() => 'completed'));
    for (const [index, view] of views.entries()) {
      const recorded = view.attempts.reduce((sum, attempt) => sum + attempt.calls, 0);
      expect(view.attempts.map((attempt) => attempt.n)).toEqual(view.attempts.map((_, n) => n + 1));
      expect(provider.callsAbout(`"${prompts[index]}"`)).toBeLessThanOrEqual(recorded);
    }
    // The kills hit something: some job needed a second attempt.
    expect(views.some((view) => view.attempts.length > 1)).toBe(true);
  } finally {
    await stopGroup(service.child);
    await provider.stop();
    rmSync(folder, { recursive: true });
  }
}, 300_000);
