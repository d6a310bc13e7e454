/** The end-to-end suite on the embedded service, and what only `npm start` promises: it survives `kill -9`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { startLocal } from '../../infra/local.ts';
import { readConfig } from '../../shared/config.ts';
import { canaryTour } from '../end-to-end/canaries.ts';
import { largeTests } from '../end-to-end/large.ts';
import { endToEndSuite } from '../end-to-end/suite.ts';
import { pollToEnd, pollUntil, readStatus, request, submit } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { argumentsFor } from '../support/programs.ts';
import { startProvider } from '../support/provider.ts';

/** Five attempts have up to 15 s of pauses between them. */
const ALL_PAUSES_MS = 45_000;

endToEndSuite(
  'embedded',
  async (environment) => {
    const service = await startLocal(
      readConfig({ ...environment, PORT: '0', DATABASE_URL: ':memory:', LOG_LEVEL: 'error' }),
    );
    return { baseUrl: service.baseUrl, stop: () => service.close() };
  },
  (target, provider) => {
    largeTests(
      () => target().baseUrl,
      async ({ job_id, ...submission }) => {
        const response = await fetch(`${target().baseUrl}/api/llm/jobs/${job_id}/`, {
          method: 'PUT',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(submission),
        });
        expect(response.status).toBe(202);
      },
    );

    test('a provider that refuses the connection is asked again, and then fails the job with its class', async () => {
      await provider().stop();
      const { baseUrl } = target();
      const id = await submit(baseUrl, request('gpt-4o-mini', 'nobody there'));
      const waiting = await pollUntil(baseUrl, id, (view) => view.stage === 'waiting');
      expect(waiting).toMatchObject({
        status: 'processing',
        progress: expect.any(Number),
        next_attempt_at: expect.any(String),
      });
      const view = await pollToEnd(baseUrl, id, ALL_PAUSES_MS);
      expect(view).toMatchObject({ status: 'failed', error_code: 'network', billing: 'possible' });
      expect(view.attempts.map(({ n, outcome }) => [n, outcome])).toEqual([1, 2, 3, 4, 5].map((n) => [n, 'failed']));
      expect(await readStatus(baseUrl, view.job_id)).toEqual(view);
    }, 60_000);
  },
);

test('no word that was planted, and no key, gets into a log', async () => {
  const provider = await startProvider();
  const service = await startLocalProcess({
    ...{ ...provider.environment, PORT: String(await freePort()), DATABASE_URL: ':memory:' },
    ...{ SIMULATED_MS: '300', LOG_LEVEL: 'debug', LOG_FORMAT: 'json' },
  });
  try {
    await canaryTour(service.baseUrl);
  } finally {
    await stopGroup(service.child);
    await provider.stop();
  }
}, 60_000);

test('a job in the middle of a slow call completes after kill -9 and a new start', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
  const environment = {
    PORT: String(await freePort()),
    DATABASE_URL: join(folder, 'jobs.db'),
    SIMULATED_MS: '1500',
  };
  let service = await startLocalProcess(environment);
  try {
    const id = await submit(service.baseUrl, request('simulated', 'Survive this.'));
    await pollUntil(service.baseUrl, id, (view) => view.status === 'processing');
    const died = new Promise((resolve) => service.child.once('exit', (_, signal) => resolve(signal)));
    service.child.kill('SIGKILL');
    expect(await died).toBe('SIGKILL');

    service = await startLocalProcess(environment);
    expect(await pollToEnd(service.baseUrl, id)).toMatchObject({
      status: 'completed',
      attempts: [
        { n: 1, outcome: 'lost' },
        { n: 2, outcome: 'completed' },
      ],
    });
  } finally {
    await stopGroup(service.child);
    rmSync(folder, { recursive: true });
  }
}, 40_000);

test('P11: an answer in the background is looked for after kill -9 and a new start, and is not asked for again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
  const environment = { PORT: String(await freePort()), DATABASE_URL: join(folder, 'jobs.db') };
  let service = await startLocalProcess(environment);
  try {
    const body = { ...request('simulated', 'Survive this, too. [simulate seconds=3]'), background: true };
    const id = await submit(service.baseUrl, body);
    // Its request has a name: the id of the answer is saved.
    const begun = await pollUntil(service.baseUrl, id, ({ attempts }) => 'provider_request_id' in (attempts[0] ?? {}));
    expect(begun).toMatchObject({ background: true, stage: 'calling_llm', message: 'Waiting for Simulated to answer' });
    const died = new Promise((resolve) => service.child.once('exit', (_, signal) => resolve(signal)));
    service.child.kill('SIGKILL');
    expect(await died).toBe('SIGKILL');

    service = await startLocalProcess(environment);
    expect(await pollToEnd(service.baseUrl, id)).toMatchObject({
      status: 'completed',
      attempts: [{ n: 1, calls: 1, outcome: 'completed', provider_request_id: expect.stringMatching(/^simulated-/) }],
    });
  } finally {
    await stopGroup(service.child);
    rmSync(folder, { recursive: true });
  }
}, 40_000);

test('W07: a job in the middle of a slow call is released by SIGTERM, and runs again at once after a new start', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
  const environment = {
    PORT: String(await freePort()),
    DATABASE_URL: join(folder, 'jobs.db'),
    SIMULATED_MS: '3000',
    DRAIN_MS: '300',
  };
  let service = await startLocalProcess(environment);
  try {
    const id = await submit(service.baseUrl, request('simulated', 'Stop this.'));
    await pollUntil(service.baseUrl, id, (view) => view.status === 'processing');
    const ended = new Promise((resolve) => service.child.once('exit', (code) => resolve(code)));
    service.child.kill('SIGTERM');
    expect(await ended).toBe(0);

    service = await startLocalProcess(environment);
    const isUpMs = Date.now();
    const view = await pollToEnd(service.baseUrl, id);
    expect(view).toMatchObject({
      status: 'completed',
      attempts: [
        { n: 1, calls: 1, outcome: 'released', error_code: 'drained' },
        { n: 2, calls: 1, outcome: 'completed' },
      ],
    });
    // By its doorbell, not by the sweeper two seconds later.
    expect(Date.parse(view.attempts[1]?.started_at ?? '') - isUpMs).toBeLessThan(1_000);
  } finally {
    await stopGroup(service.child);
    rmSync(folder, { recursive: true });
  }
}, 40_000);

test('a second service on the same file does not start, and says why', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
  const config = readConfig({ PORT: '0', DATABASE_URL: join(folder, 'jobs.db'), LOG_LEVEL: 'error' });
  const service = await startLocal(config);
  try {
    const second = spawnSync(process.execPath, argumentsFor('infra/local.ts'), {
      env: { ...process.env, PORT: '0', DATABASE_URL: config.databaseUrl },
      encoding: 'utf8',
    });
    expect(second.status).toBe(1);
    expect(second.stderr).toContain('is in use by another process');
    expect(second.stderr).not.toContain(' at ');
  } finally {
    await service.close();
    rmSync(folder, { recursive: true });
  }
});
