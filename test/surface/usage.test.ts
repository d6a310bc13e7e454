/** `GET /api/llm/usage/`: what jobs used and cost, against sums made by hand. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { NOTHING_SPENT } from '../../shared/core/costs.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { TRAINER } from '../support/app.ts';
import { ADA } from '../support/core-world.ts';
import { ANSWERED, BROKEN, HUNG, LOST, type PricedWorld, pricedWorld, round } from './priced-world.ts';

const USAGE = '/api/llm/usage/';
const ADMIN: Principal = { tenant: 'default', user: 'root', scopes: ['admin'] };
const DAY_MS = 86_400_000;
/** Where the world's clock begins. */
const TODAY = '2023-11-14';

let world: PricedWorld;
beforeEach(() => {
  world = pricedWorld();
});
afterEach(() => world.close());

describe('usage', () => {
  const NOTHING = {
    jobs: 0,
    input_tokens: 0,
    output_tokens: 0,
    cached_input_tokens: 0,
    reasoning_tokens: 0,
    cost: 0,
    estimated_cost: 0,
    unpriced_attempts: 0,
  };
  /** Of one that was answered, of two, … */
  const answered = (jobs: number) => ({
    ...{ jobs, input_tokens: 1_000 * jobs, output_tokens: 500 * jobs },
    ...{ cached_input_tokens: 400 * jobs, reasoning_tokens: 320 * jobs },
  });
  const report = async (query = '', principal?: Principal) => (await world.as(principal).get(`${USAGE}?${query}`)).body;

  test('of nothing is nothing, on each of the last seven days', async () => {
    const days = ['08', '09', '10', '11', '12', '13', '14'].map((day) => ({ day: `2023-11-${day}`, ...NOTHING }));
    expect(await report()).toEqual({
      ...{ success: true, group_by: 'day', from: '2023-11-08', to: TODAY },
      ...{ rows: days, total: NOTHING },
    });
    const none = { success: true, from: '2023-11-08', to: TODAY, rows: [], total: NOTHING };
    expect(await report('group_by=model')).toEqual({ ...none, group_by: 'model' });
    expect(await report('group_by=job_type')).toEqual({ ...none, group_by: 'job_type' });
    expect(await report('group_by=arm')).toEqual({ ...none, group_by: 'arm' });
  });

  test('is the sum of what completed, failed, was cancelled, was lost, was deleted and still runs', async () => {
    await world.done('Hello.');
    await world.done('Break.');
    await world.done('Refuse.');
    await world.cancelled('Hang.');
    await world.lost('Hello.');
    const deleted = await world.done('Hello.');
    expect((await world.as().send('DELETE', `/api/llm/jobs/${deleted.id}/`)).status).toBe(200);
    await world.submit('Hello.');
    const estimated = round(BROKEN + HUNG + LOST);
    const total = {
      ...{ ...answered(3), jobs: 7, unpriced_attempts: 0 },
      ...{ cost: round(3 * ANSWERED + estimated), estimated_cost: estimated },
    };
    expect(estimated).toBe(0.0020145);
    expect(total.cost).toBe(0.0054945);
    const byModel = await report('group_by=model');
    expect(byModel.rows).toEqual([{ model: 'gpt-5-mini', ...total }]);
    expect(byModel.total).toEqual(total);
    const byType = await report('group_by=job_type');
    expect(byType.rows).toEqual([{ job_type: 'general_llm_request', ...total }]);
    const byDay = await report('group_by=day');
    expect(byDay.total).toEqual(total);
    expect(byDay.rows.at(-1)).toEqual({ day: TODAY, ...total });
    // They expire, and count on.
    await world.clock.advance(29 * DAY_MS);
    expect((await report(`from=${TODAY}`)).total).toEqual(total);
  });

  test('has a row for each model, type and day that was used, and one for what is there no more', async () => {
    await world.done('Hello.');
    await world.done('Hello.', {}, 'simulated');
    await world.done('Hello.', {}, 'llama3.2');
    await world.clock.advance(DAY_MS);
    await world.done('Hello.');
    await world.as().post(TRAINER, { model_id: 'gpt-5-mini', full_input: 'Hello.' });
    const gone = { id: crypto.randomUUID(), name: 'Gone', provider: 'openai', model: 'gone' };
    const spent = { inputTokens: 5, outputTokens: 4, cachedInputTokens: 3, reasoningTokens: 2 };
    await world.store.create(
      sampleJob({
        ...{ tenant: 'default', createdAt: world.clock.nowMs(), jobType: 'gone', model: gone },
        spent: { ...spent, nanoUsd: 1_000, estimatedNanoUsd: 0, unpriced: 0 },
      }),
      null,
    );
    const priced = { estimated_cost: 0, unpriced_attempts: 0 };
    const other = {
      jobs: 1,
      input_tokens: 5,
      output_tokens: 4,
      cached_input_tokens: 3,
      reasoning_tokens: 2,
      cost: 0.000001,
      ...priced,
    };
    const { rows: byModel, total } = await report('group_by=model');
    expect(byModel).toEqual(
      expect.arrayContaining([
        { model: 'simulated', ...answered(1), cost: 0, ...priced },
        { model: 'gpt-5-mini', ...answered(2), jobs: 3, cost: 2 * ANSWERED, ...priced },
        { model: 'llama3.2', ...answered(1), cost: null, estimated_cost: 0, unpriced_attempts: 1 },
        { model: 'other', ...other },
      ]),
    );
    expect(byModel).toHaveLength(4);
    expect(total).toMatchObject({
      jobs: 6,
      input_tokens: 4_005,
      cost: round(2 * ANSWERED + 0.000001),
      unpriced_attempts: 1,
    });
    const { rows: byType } = await report('group_by=job_type');
    const jobs = byType.map((row: { job_type: string; jobs: number }) => [row.job_type, row.jobs]);
    expect(jobs).toEqual([
      ['trainer_question_analysis', 1],
      ['general_llm_request', 4],
      ['other', 1],
    ]);
    const { rows: byDay } = await report(`from=${TODAY}`);
    expect(byDay.map((row: { day: string; jobs: number }) => [row.day, row.jobs])).toEqual([
      [TODAY, 3],
      ['2023-11-15', 3],
    ]);
    expect((await report(`from=${TODAY}&to=${TODAY}`)).total).toMatchObject({ jobs: 3, cost: ANSWERED });
    expect((await report('to=2023-11-13')).total).toEqual(NOTHING);
  });

  test('by arm has a row for each that was used, one for jobs of no experiment, and adds up to all', async () => {
    const experiment = (name: string, subject: string) => ({
      experiment: {
        ...{ name, subject },
        variants: [
          { name: 'mini', weight: 50 },
          { name: 'free', weight: 50, model_id: 'simulated' },
        ],
      },
    });
    const jobs: { job_id: string; arm: string }[] = [];
    for (let n = 0; n < 24; n++) {
      const key = await world.done('Hello.', experiment(n % 2 ? 'tone' : 'length', `user-${n}`));
      jobs.push(await world.view(key));
    }
    await world.done('Hello.');
    await world.done('Break.');
    const { rows, total } = await report('group_by=arm');
    const arms = ['length/free', 'length/mini', 'tone/free', 'tone/mini'];
    expect(rows.map(({ arm }: { arm: string }) => arm)).toEqual([...arms, 'none']);
    for (const row of rows.slice(0, 4)) {
      const own = jobs.filter(({ arm }) => arm === row.arm).length;
      const cost = row.arm.endsWith('mini') ? round(own * ANSWERED) : 0;
      expect(own).toBeGreaterThan(0);
      expect(row).toEqual({ arm: row.arm, ...answered(own), cost, estimated_cost: 0, unpriced_attempts: 0 });
    }
    expect(rows[4]).toMatchObject({ jobs: 2, cost: round(ANSWERED + BROKEN), estimated_cost: BROKEN });
    for (const name of ['jobs', 'input_tokens', 'output_tokens', 'cost', 'estimated_cost']) {
      expect(round(rows.reduce((sum: number, row: { [name: string]: number }) => sum + (row[name] ?? 0), 0))).toBe(
        total[name],
      );
    }
    expect((await report('group_by=day')).total).toEqual(total);
    expect((await report('group_by=arm', { ...ADA, user: 'bob' })).rows).toEqual([]);
    expect((await report('group_by=arm', ADMIN)).rows).toEqual(rows);
  });

  test('by arm has rows for the first hundred; of more arms the rest is one row', async () => {
    const spent = { ...NOTHING_SPENT, inputTokens: 1 };
    const add = (arm: string | undefined) =>
      world.store.create(sampleJob({ tenant: 'default', createdAt: world.clock.nowMs(), arm, spent }), null);
    for (let n = 0; n < 101; n++) await add(`a/${String(n).padStart(3, '0')}`);
    await add(undefined);
    const { rows, total } = await report('group_by=arm');
    expect(rows).toHaveLength(101);
    expect([rows[99].arm, rows[100]]).toEqual(['a/099', expect.objectContaining({ arm: 'other', jobs: 2 })]);
    expect(total.jobs).toBe(102);
    expect([world.store.calls('arms'), world.store.calls('usage')]).toEqual([1, 101]);
  });

  test('is of one’s own jobs; an administrator sees the tenant’s, and leaves a line', async () => {
    await world.done('Hello.');
    expect((await report('', { ...ADA, user: 'bob' })).total).toEqual(NOTHING);
    expect((await report('', { ...ADA, tenant: 'umbrella' })).total).toEqual(NOTHING);
    expect((await report('', { ...ADMIN, tenant: 'umbrella' })).total).toEqual(NOTHING);
    world.lines.splice(0);
    expect((await report('', ADA)).total).toMatchObject({ jobs: 1 });
    expect(world.lines.join()).not.toContain('audit');
    expect((await report('group_by=model', ADMIN)).total).toMatchObject({ jobs: 1, cost: ANSWERED });
    expect(world.lines.map((line) => JSON.parse(line))).toContainEqual({
      ...{ severity: 'info', event: 'audit' },
      ...{ act: 'usage', actor: 'root', tenant: 'default' },
    });
  });

  test.each([
    ['group_by=week', 'group_by', 'must be one of: day, model, job_type, arm'],
    ['group_by=', 'group_by', 'must be one of'],
    ['from=yesterday', 'from', 'must be a day, like 2025-01-18'],
    ['from=', 'from', 'must be a day'],
    ['from=2023-02-30', 'from', 'must be a day'],
    ['from=2023-11-14T00:00:00Z', 'from', 'must be a day'],
    ['from=2023-11-1', 'from', 'must be a day'],
    ['to=0000-01-01', 'to', 'must be a day'],
    ['to=9999-12-31', 'to', 'must be a day'],
    ['from=2023-11-15', 'from', 'must not be after today, 2023-11-14'],
    ['from=2023-11-14&to=2023-11-13', 'from', 'must not be after to'],
    ['from=2023-10-14', 'from', 'must be at most 31 days before today, 2023-11-14, that day included; it is 32'],
    ['from=2023-01-01&to=2023-02-01', 'from', 'it is 32'],
    ['user=bob', 'user', 'is not a known field'],
  ])('?%s is refused at %s', async (query, path, words) => {
    const { status, body } = await world.as().get(`${USAGE}?${query}`);
    expect([status, body.code, body.details?.length]).toEqual([400, 'invalid_request', 1]);
    expect(body.details[0]).toEqual({ path, message: expect.stringContaining(words) });
    expect(world.store.calls('usage')).toBe(0);
  });

  test('reaches over 31 days, and not further', async () => {
    expect((await report('from=2023-10-15')).rows).toHaveLength(31);
    expect((await report('from=2024-02-01&to=2024-02-29')).rows).toHaveLength(29);
  });

  test('asks the store for one sum of each day, or of each model and all', async () => {
    await report('from=2023-10-15');
    expect(world.store.calls('usage')).toBe(31);
    await report('group_by=model');
    expect(world.store.calls('usage')).toBe(31 + world.models.list().length + 1);
  });
});
