/** How many deliveries of a runtime may wait for the answers of others: some of its lanes, so that other jobs have room. */
import { expect, test } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { ADA } from '../support/core-world.ts';

test('a third of WORKER_CONCURRENCY waits, and the others are parked', async () => {
  const settings = { DATABASE_URL: ':memory:', SIMULATED_MS: '200', WORKER_CONCURRENCY: '6' };
  const events: string[] = [];
  const runtime = await embeddedRuntime(readConfig(settings), (_, event) => void events.push(event));
  const equal = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.' }, cacheMs: 60_000 };
  const jobs = [];
  for (let n = 0; n < 6; n++) jobs.push((await runtime.service.submit(ADA, equal)).job);
  const outcomes = await Promise.all(jobs.map((job) => runtime.worker.run(job)));
  expect(events.filter((event) => event === 'answer-awaited')).toHaveLength(2);
  const count = (outcome: object) => outcomes.filter((one) => JSON.stringify(one) === JSON.stringify(outcome)).length;
  expect(count({ finished: 'completed' })).toBe(1);
  expect(count({ refused: 'answered' })).toBe(2);
  expect(count({ refused: 'parked' })).toBe(3);
  await runtime.close();
});
