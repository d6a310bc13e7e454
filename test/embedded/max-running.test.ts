/** `MAX_RUNNING` on the embedded runtime, with its own queue and sweeper. */
import { expect, test } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';

const LOCAL = { tenant: 'default', user: 'local', scopes: [] };

test('as many jobs run at once as may, the others say what they wait for, and all come to their turn', async () => {
  const environment = { DATABASE_URL: ':memory:', MAX_RUNNING: '*=2', SIMULATED_MS: '100', LOG_LEVEL: 'error' };
  const runtime = await embeddedRuntime(readConfig(environment));
  try {
    runtime.start();
    const submission = { jobType: 'general_llm_request', model: 'simulated' };
    for (let n = 0; n < 12; n++) await runtime.service.submit(LOCAL, { ...submission, input: { prompt: `${n}` } });
    const page = async () => (await runtime.service.list(LOCAL, { limit: 100, offset: 0 })).jobs.map(({ job }) => job);
    let most = 0;
    let parked = 0;
    await expect
      .poll(
        async () => {
          const jobs = await page();
          most = Math.max(most, jobs.filter(({ leaseExpiresAt }) => leaseExpiresAt !== null).length);
          parked = Math.max(parked, jobs.filter(({ stage }) => stage === 'waiting_for_slot').length);
          return jobs.filter(({ state }) => state === 'completed').length;
        },
        { interval: 5, timeout: 15_000 },
      )
      .toBe(12);
    expect(most).toBe(2);
    expect(parked).toBeGreaterThan(5);
  } finally {
    await runtime.close();
  }
});
