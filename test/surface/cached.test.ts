/** What is shown, charged and kept of a job that has the answer to an equal one. */
import { afterEach, describe, expect, test } from 'vitest';
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import type { Principal } from '../../shared/core/access.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { callsOf, general, LIST, openApp, resultOf, SUBMIT, statusOf } from '../support/app.ts';
import { ADA, answer, FINISH, type Generate } from '../support/core-world.ts';
import { idsOf, take } from '../support/reader.ts';
import { EQUAL, type SharingWorld, sharingWorld } from '../support/sharing-world.ts';
import { appOver } from './counted-app.ts';

const BOB: Principal = { ...ADA, user: 'bob' };

let world: SharingWorld;
afterEach(() => world.close());

const open = (...values: Parameters<typeof sharingWorld>) => {
  world = sharingWorld(...values);
  return world;
};
const until = <T>(promise: Promise<T>) => world.clock.until(promise);

async function submitted(by: Principal = ADA, over: object = {}): Promise<Job> {
  return (await world.service.submit(by, { ...EQUAL, ...over })).job;
}
/** A job of Ada's that was answered by the model, and one of Bob's that has its answer. */
async function pair(over: object = {}) {
  const first = await submitted();
  expect(await until(world.run(first))).toEqual({ finished: 'completed' });
  await world.clock.advance(5_000);
  const second = await submitted(BOB, over);
  expect(await until(world.run(second))).toEqual({ refused: 'answered' });
  return { first, second };
}
const asBob = () => callsOf(appOver(world, { authenticate: alwaysAs(BOB) }));

describe('a job that has the answer to an equal one', () => {
  test('says so, costs nothing, has no attempts, and tells nobody whose answer that was', async () => {
    open();
    const { first, second } = await pair();
    const { body: shown } = await asBob().get(statusOf(second.id));
    const made = (await callsOf(appOver(world)).get(statusOf(first.id))).body;
    expect(shown).toMatchObject({
      ...{ status: 'completed', is_complete: true, cached: true, answer_created_at: made.completed_at },
      ...{ cost: 0, billing: 'none', attempts: [], result_data: made.result_data, message: 'Done', progress: 100 },
      processing_time: 0,
    });
    expect(shown.completed_at).not.toBe(made.completed_at);
    for (const name of ['usage', 'cost_estimated', 'stage']) expect(shown).not.toHaveProperty(name);
    for (const name of ['cached', 'answer_created_at']) expect(made).not.toHaveProperty(name);
    const pages = [await asBob().get(resultOf(second.id)), await asBob().get(`${LIST}?limit=5`)];
    expect(JSON.stringify([shown, ...pages.map(({ body }) => body)])).not.toContain(first.id);
    expect(pages[1]?.body.jobs).toMatchObject([{ cached: true, cost: 0 }]);
  });

  test('that is streamed is a snapshot and its end, for who was there, and for who comes later', async () => {
    open();
    const { second } = await pair({ stream: true });
    const { events } = await take(world.service, second, until, { as: BOB });
    expect(events.map(({ type }) => type)).toEqual(['snapshot', 'done']);
    expect(idsOf(events)).toEqual([0, 999_999]);
    expect(await take(world.service, second, until, { as: BOB, cursor: 0 })).toMatchObject({
      events: [{ type: 'done' }],
    });
  });

  test('is in the cache of results, as any other; nothing was learned of how long it took', async () => {
    open();
    const { first, second } = await pair();
    expect(await world.resultCache.get(second)).toBe(await world.resultCache.get(first));
    expect(await world.resultCache.get(second)).toContain('Hi!');
    expect(world.learned()).toBe(1);
  });

  test('holds and is charged nothing', async () => {
    open(answer, { hasCredits: true });
    for (const { tenant, user } of [ADA, BOB]) {
      await world.accounts.put({ tenant, user }, { subscription: 'active' });
      await world.accounts.grant({ tenant, user }, { id: crypto.randomUUID(), tokens: 10_000 });
    }
    const before = await world.accounts.get(BOB);
    const { second } = await pair();
    expect((await world.accounts.get(BOB))?.account).toEqual(before?.account);
    expect((await world.accounts.get(ADA))?.account).not.toEqual(before?.account);
    for (const field of ['hold', 'settled']) expect((await world.store.get(second))?.job).not.toHaveProperty(field);
  });

  test('leaves ids alone in the log', async () => {
    open();
    const { first, second } = await pair();
    const own = world.lines.filter((line) => line.includes('"answer-'));
    expect(own.map((line) => JSON.parse(line))).toEqual([
      { severity: 'info', event: 'answer-reused', job_id: second.id, answer_of: first.id },
    ]);
    expect(world.lines.join()).not.toContain('canary');
  });
});

test('a job that waits for an answer says so, and nothing of slots', () => {
  open();
  const parkedFor = `answer:${crypto.randomUUID()}`;
  const view = renderJob({ job: sampleJob({ parkedFor, parkedAt: 1, stage: 'waiting_for_answer' }), nowMs: 5 });
  expect(view).toMatchObject({ stage: 'waiting_for_answer', message: 'Waiting for the answer to an equal job' });
  expect(JSON.stringify(view)).not.toContain(parkedFor.slice(7));
});

describe('what is no answer', () => {
  const refusing: Generate = async function* (_, __, call): AsyncIterable<LlmPart> {
    if (call === 1) throw new ServiceError('content_policy', 'No.');
    yield { type: 'text-delta', text: `answer ${call}` };
    yield FINISH;
  };

  test('a result in whose place no call stood: the next one makes a call', async () => {
    open(refusing);
    const type = world.jobTypes.get('general_llm_request');
    if (type) (world.jobTypes as Map<string, typeof type>).set(type.name, { ...type, fallback: () => 'instead' });
    const jobs = [await submitted(), await submitted(), await submitted()];
    expect(await until(world.run(jobs[0] as Job))).toEqual({ finished: 'completed' });
    expect((await world.read(jobs[0] as Job)).result).toBe('instead');
    expect(await until(world.run(jobs[1] as Job))).toEqual({ finished: 'completed' });
    expect(await until(world.run(jobs[2] as Job))).toEqual({ refused: 'answered' });
    expect((await world.read(jobs[2] as Job)).result).toEqual({ success: true, result: 'answer 2' });
  });

  test('a large answer that is damaged', async () => {
    open(async function* (_, __, call) {
      yield { type: 'text-delta', text: `${call}`.repeat(400_000) };
      yield FINISH;
    });
    const [first, second] = [await submitted(), await submitted()];
    expect(await until(world.run(first))).toEqual({ finished: 'completed' });
    await world.parts.remove(first);
    expect(await until(world.run(second))).toEqual({ finished: 'completed' });
    expect(world.calls()).toBe(2);
    expect(await world.parts.unchecked(Number.MAX_SAFE_INTEGER, 10)).toHaveLength(1);
    expect(world.lines.some((line) => line.includes('answer-unread'))).toBe(true);
  });
});

describe('a store that gives no answer', () => {
  test.each([
    ['who leads', 'get', 'before'],
    ['whether it leads', 'lead', 'before'],
    ['whether it leads, and it does', 'lead', 'after'],
  ] as const)('to %s: the job comes again, one call is made', async (_, method, fault) => {
    open();
    const job = await submitted();
    world.leaders.fail(method, fault);
    await expect(until(world.run(job))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([world.leaders.fired(fault), world.calls()]).toEqual([1, 0]);
    expect(await until(world.run(job))).toEqual({ finished: 'completed' });
    expect(await world.read(job)).toHaveProperty('leads');
    expect(world.calls()).toBe(1);
  });

  test('to whether the answer was written: it was, once', async () => {
    open();
    const [first, second] = [await submitted(), await submitted()];
    expect(await until(world.run(first))).toEqual({ finished: 'completed' });
    world.store.fail('update', 'after');
    expect(await until(world.run(second))).toEqual({ refused: 'done' });
    expect(world.store.fired('after')).toBe(1);
    expect(await world.read(second)).toMatchObject({ state: 'completed', answerOf: { id: first.id } });
    expect(await world.resultCache.get(second)).toContain('Hi!');
  });

  test('to who waits: the job ends all the same', async () => {
    open();
    const job = await submitted();
    world.store.fail('parked', 'before');
    expect(await until(world.run(job))).toEqual({ finished: 'completed' });
    expect(world.store.fired('before')).toBe(1);
    expect(world.lines.some((line) => line.includes('followers-unrung'))).toBe(true);
  });
});

test('over HTTP: `cache_ttl_seconds` is all that it takes, for the same words again and for no others', async () => {
  open();
  const app = await openApp();
  const ask = async (prompt: string, more: object = { cache_ttl_seconds: 3_600 }) => {
    const { status, body } = await app.post(SUBMIT, { ...general({ prompt }), ...more });
    expect(status).toBe(202);
    return app.poll(body.job_id);
  };
  const first = await ask('What is a lease?');
  const again = await ask('What is a lease?');
  const others = [await ask('What is a fence?'), await ask('What is a lease?', {})];
  expect(again).toMatchObject({ cached: true, cost: 0, attempts: [], answer_created_at: first.completed_at });
  expect(again.result_data).toEqual(first.result_data);
  for (const own of [first, ...others]) {
    expect(own).not.toHaveProperty('cached');
    expect(own.attempts).toHaveLength(1);
  }
  await app.close();
});
