/** What a job cost, in its views, against sums made by hand. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { jobService } from '../../shared/core/service.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { callsOf, LIST, resultOf, statusOf, streamOf } from '../support/app.ts';
import { appOver } from './counted-app.ts';
import { ANSWERED, BROKEN, HUNG, LOST, type PricedWorld, pricedWorld, round } from './priced-world.ts';

let world: PricedWorld;
beforeEach(() => {
  world = pricedWorld();
});
afterEach(() => world.close());

describe('the view of a job', () => {
  test('that is not over says nothing of costs', async () => {
    for (const name of ['cost', 'cost_estimated', 'usage']) {
      expect(await world.view(await world.submit('Hello.'))).not.toHaveProperty(name);
    }
  });

  test('that completed has the price of what was used', async () => {
    const usage = { input_tokens: 1_000, output_tokens: 500, total_tokens: 1_500 };
    const whole = { ...usage, cached_input_tokens: 400, reasoning_tokens: 320 };
    const shown = await world.view(await world.done('Hello.'));
    expect(shown).toMatchObject({ status: 'completed', cost: ANSWERED, usage: whole });
    expect(shown.attempts).toMatchObject([{ cost: ANSWERED, usage: whole }]);
    for (const each of [shown, shown.attempts[0]]) expect(each).not.toHaveProperty('cost_estimated');
  });

  test('that broke off says what the provider may have charged, and that it is an estimate', async () => {
    const shown = await world.view(await world.done('Break.'));
    const estimated = { cost: BROKEN, cost_estimated: true };
    expect(shown).toMatchObject({ status: 'failed', error_code: 'network', attempts: [estimated], ...estimated });
    expect(shown).not.toHaveProperty('usage');
  });

  test('that was refused before any work cost nothing', async () => {
    const shown = await world.view(await world.done('Refuse.'));
    expect(shown).toMatchObject({ status: 'failed', cost: 0, attempts: [{ cost: 0 }] });
    expect(shown).not.toHaveProperty('cost_estimated');
  });

  test('that was cancelled has the estimate of what came', async () => {
    const estimated = { cost: HUNG, cost_estimated: true };
    expect(await world.view(await world.cancelled('Hang.'))).toMatchObject({
      status: 'cancelled',
      ...estimated,
      attempts: [estimated],
    });
  });

  test('whose worker was lost has the estimate of the call that nobody heard of, and the price of the next', async () => {
    const shown = await world.view(await world.lost('Hello.'));
    expect(shown).toMatchObject({ status: 'completed', cost: round(LOST + ANSWERED), cost_estimated: true });
    const [first, second] = shown.attempts;
    expect([first.outcome, first.cost, first.cost_estimated]).toEqual(['lost', LOST, true]);
    expect([second.outcome, second.cost, second.cost_estimated]).toEqual(['completed', ANSWERED, undefined]);
    expect(shown.usage).toMatchObject({ input_tokens: 1_000, total_tokens: 1_500 });
  });

  test('on a model whose price nobody knows says null, not 0', async () => {
    const shown = await world.view(await world.done('Hello.', {}, 'llama3.2'));
    expect(shown).toMatchObject({ status: 'completed', cost: null, attempts: [{ cost: null }] });
    expect(shown.usage).toMatchObject({ input_tokens: 1_000 });
  });

  test('has what all of its attempts used, also those of which no record is kept', async () => {
    const key = await world.done('Hello.');
    const { job, revision } = (await world.store.get(key)) as { job: Job; revision: string };
    await world.store.update(key, revision, { attempts: [], version: job.version + 1 });
    const other = jobService({ ...world.core, models: world.models, wakeShards: 1 });
    const { body } = await callsOf(appOver(world.core, { service: other })).get(statusOf(key.id));
    other.close();
    expect(body).toMatchObject({ attempts: [], cost: ANSWERED, usage: { input_tokens: 1_000, total_tokens: 1_500 } });
  });

  test('of an older version has the sum of its records, and no cost', async () => {
    const usage = { inputTokens: 3, outputTokens: 2, totalTokens: 6 };
    const attempt = { startedAt: 1, provider: 'openai', model: 'gpt-4', calls: 1, usage };
    const attempts = [1, 2].map((n) => ({ ...attempt, n }));
    const job = sampleJob({ tenant: 'default', state: 'processing', attempts, attempt: 2 });
    await world.store.create(job, null);
    const shown = await world.view(job);
    expect(shown.usage).toEqual({ input_tokens: 6, output_tokens: 4, total_tokens: 12 });
    expect(shown).not.toHaveProperty('cost');
  });

  test('shows a rejected answer to those who read the one job, and in no list or stream', async () => {
    const job = sampleJob({
      ...{ tenant: 'default', state: 'failed', completedAt: 1_700_000_000_000, rejectedText: 'A canary.' },
      error: { code: 'schema_violation', message: 'No.' },
    });
    await world.store.create(job, null);
    expect(await world.view(job)).toMatchObject({ status: 'failed', rejected_text: 'A canary.' });
    for (const path of [`${LIST}?limit=5`, `${LIST}?ids=${job.id}`]) {
      const { body } = await world.as().get(path);
      expect(body.jobs.map((each: { job_id: string }) => each.job_id)).toEqual([job.id]);
      expect(JSON.stringify(body)).not.toContain('canary');
    }
    expect(JSON.stringify((await world.as().get(resultOf(job.id))).body)).not.toContain('canary');
    const stream = await world.appAs().request(streamOf(job.id));
    const events = await world.clock.until(stream.text());
    expect([events.includes('schema_violation'), events.includes('canary')]).toEqual([true, false]);
    await world.as().send('DELETE', `/api/llm/jobs/${job.id}/`);
    expect(JSON.stringify(await world.store.get(job))).not.toContain('canary');
  });
});
