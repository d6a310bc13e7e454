/** Redriving: whose account pays, what becomes of an input that lies in parts, and twenty at once. */
import { afterEach, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart, LlmRequest } from '../../shared/core/llm.ts';
import { textOf } from '../../shared/core/llm.ts';
import { INLINE_BYTES_MOST } from '../../shared/core/parts.ts';
import { ADA, answer, type CoreWorld, coreWorld, NO_RETRY } from '../support/core-world.ts';

const ADMIN: Principal = { tenant: ADA.tenant, user: 'root', scopes: ['admin'] };
const LARGE = 'p'.repeat(INLINE_BYTES_MOST);

let world: CoreWorld;
let asked: string[];
afterEach(() => world.close());

/** A world in which the first call fails for good, and a job that it was for. */
async function failed(prompt = 'Hello.', options: { hasCredits?: boolean } = {}): Promise<Job> {
  asked = [];
  world = coreWorld(
    async function* (request: LlmRequest, _signal, call): AsyncIterable<LlmPart> {
      asked.push(request.messages.map(textOf).join());
      if (call === 1) throw new ServiceError('content_policy', 'failed by the test');
      yield* answer();
    },
    NO_RETRY,
    options,
  );
  if (options.hasCredits) {
    await world.accounts.put(ADA, { subscription: 'active' });
    await world.accounts.grant(ADA, { id: 'first', tokens: 2_000 });
  }
  const job = await world.submit(prompt);
  expect(await world.run(job)).toEqual({ finished: 'failed' });
  return (await world.store.get(job))?.job as Job;
}

const redrive = ({ id }: Job, by = ADA) => world.service.redrive(by, id);
const account = async () => (await world.accounts.get(ADA))?.account;

test('with credits the account of its user pays, whoever asks, and what the first one cost stays', async () => {
  const old = await failed('Hello.', { hasCredits: true });
  const { settled } = old;
  expect(settled).toBeDefined();
  const before = await account();
  await world.accounts.put(ADA, { subscription: 'inactive' });
  await expect(redrive(old)).rejects.toMatchObject({ code: 'subscription_inactive' });
  await world.accounts.put(ADA, { subscription: 'active' });
  await world.accounts.grant(ADA, { id: 'away', tokens: -(before?.balance ?? 0) });
  for (const by of [ADA, ADMIN]) await expect(redrive(old, by)).rejects.toMatchObject({ code: 'insufficient_credits' });
  expect((await world.store.get(old))?.job).toEqual(old);

  await world.accounts.grant(ADA, { id: 'again', tokens: 2_000 });
  const { job } = await redrive(old, ADMIN);
  expect(await world.run(job)).toEqual({ finished: 'completed' });
  expect(await account()).toMatchObject({ balance: 2_000 - 5, charged: { tokens: (before?.charged.tokens ?? 0) + 5 } });
  expect((await world.store.get(old))?.job.settled).toEqual(settled);
  // What it may use now is nothing to one that was made before.
  await world.accounts.put(ADA, { subscription: 'inactive' });
  expect(await redrive(old)).toMatchObject({ replayed: true, job: { id: job.id } });
});

const sets = async () => (await world.parts.unchecked(world.clock.nowMs() + 1e12, 100)).map(({ id }) => id);

test('an input in parts is copied whole, and is there when the first job is deleted', async () => {
  const old = await failed(LARGE);
  const { job } = await redrive(old);
  expect((await sets()).sort()).toEqual([old.id, job.id].sort());
  await world.service.remove(ADA, old.id);
  expect(await sets()).toEqual([job.id]);
  expect(await world.run(job)).toEqual({ finished: 'completed' });
  expect(asked.map((text) => text.length)).toEqual([LARGE.length, LARGE.length]);
});

test('of redrives at once none leaves parts but the one that is answered', async () => {
  const old = await failed(LARGE);
  world.store.before('create', () => redrive(old));
  const { job, replayed } = await redrive(old);
  expect(replayed).toBe(true);
  expect((await sets()).sort()).toEqual([old.id, job.id].sort());
  expect(await world.run(job)).toEqual({ finished: 'completed' });
});

test('of a job that changes meanwhile the parts that were written for nothing go, and who asked is noted once', async () => {
  const old = await failed(LARGE);
  const { revision = '' } = (await world.store.get(old)) ?? {};
  world.store.before('create', () => world.store.update(old, revision, { rings: 7 }));
  const { job, replayed } = await redrive(old, ADMIN);
  expect([replayed, world.store.calls('create')]).toEqual([false, 1 + 2]);
  expect((await sets()).sort()).toEqual([old.id, job.id].sort());
  expect(world.lines.filter((line) => line.includes('"act":"redrive"'))).toHaveLength(1);
});

test('a commit that is sent twice, and told that the first job has changed: the new one is there, with its input', async () => {
  const old = await failed(LARGE);
  const { create } = world.store;
  const answers: unknown[] = [];
  // Either refusal may be told: the new job is there, and the old one is not as it was.
  world.store.create = async (...given) => {
    answers.push(await create(...given));
    const answer = await create(...given);
    answers.push(answer);
    return 'refused' in answer ? { refused: 'changed' } : answer;
  };
  const { job, replayed } = await redrive(old);
  expect(answers).toMatchObject([{ created: {} }, { refused: 'exists' }]);
  expect(replayed).toBe(false);
  expect((await sets()).sort()).toEqual([old.id, job.id].sort());
  expect(await world.run(job)).toEqual({ finished: 'completed' });
});

test('an input that is damaged is not taken for another', async () => {
  const old = await failed(LARGE);
  await world.parts.remove(old);
  await expect(redrive(old)).rejects.toMatchObject({ code: 'internal_error' });
  expect((await world.store.get(old))?.job).toEqual(old);
});

test('a job that is deleted while its input is read is not found', async () => {
  const old = await failed(LARGE);
  world.parts.before('get', () => world.service.remove(ADA, old.id));
  await expect(redrive(old)).rejects.toMatchObject({ code: 'job_not_found' });
  expect(await sets()).toEqual([]);
});

test('R08 twenty at once, half of them told that it failed: one new job', async () => {
  const old = await failed();
  world.store.fail('create', 'after', { times: 10 });
  const answers = await Promise.all(Array.from({ length: 20 }, () => redrive(old)));
  expect(world.store.fired('after')).toBe(10);
  expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
  expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
  const all = await world.store.list({ tenant: ADA.tenant, limit: 100, offset: 0 });
  expect(all).toHaveLength(2);
  expect(world.published.at(-1)?.id).toBe(answers[0]?.job.id);
});
