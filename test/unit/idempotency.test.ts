/** Repeated submits: one job per key or id, whoever repeats it and whatever answer was lost. */
import { afterEach, describe, expect, test } from 'vitest';
import { derivedId, fingerprintOf, isClientJobId, isJobId } from '../../shared/core/ids.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import { ADA, type CoreWorld, coreWorld, NO_RETRY } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world?.close());

const BOB = { ...ADA, user: 'bob' };
const OTHER_TENANT = { ...ADA, tenant: 'other' };
const submission = (over: Partial<Submission> = {}): Submission => ({
  jobType: 'general_llm_request',
  model: 'simulated',
  input: { prompt: 'Hello.' },
  ...over,
});
const count = async () =>
  (await world.service.list({ ...ADA, scopes: ['admin'] }, { limit: 100, offset: 0 })).jobs.length;

describe('a key', () => {
  test('makes one job of any number of equal submits, however the fields are ordered', async () => {
    world = coreWorld();
    const key = { idempotencyKey: 'k' };
    const first = await world.service.submit(
      ADA,
      submission({ ...key, input: { full_input: 'a', system_message: 'b' } }),
    );
    const again = await world.service.submit(
      ADA,
      submission({ ...key, input: { system_message: 'b', full_input: 'a' } }),
    );
    expect(first.replayed).toBe(false);
    expect(again).toMatchObject({ job: first.job, replayed: true });
    expect(await count()).toBe(1);
  });

  test.each<[string, Partial<Submission>]>([
    ['input', { input: { prompt: 'Bye.' } }],
    ['model', { model: 'Simulated' }],
    ['job type', { jobType: 'trainer_question_analysis', input: { full_input: 'Hello.' } }],
    ['question', { questionId: 'q' }],
  ])('with another %s is a conflict that writes and publishes nothing', async (_, over) => {
    world = coreWorld();
    const { job } = await world.service.submit(ADA, submission({ idempotencyKey: 'k' }));
    const before = await world.store.get(job);
    const published = world.published.length;
    const refused = world.service.submit(ADA, submission({ idempotencyKey: 'k', ...over }));
    await expect(refused).rejects.toMatchObject({ code: 'idempotency_conflict' });
    expect((await world.store.get(job))?.revision).toBe(before?.revision);
    expect(world.published).toHaveLength(published);
    expect(await count()).toBe(1);
  });

  test('of another user, or of another tenant, is another job', async () => {
    world = coreWorld();
    const jobs = await Promise.all(
      [ADA, BOB, OTHER_TENANT].map((who) => world.service.submit(who, submission({ idempotencyKey: 'k' }))),
    );
    expect(new Set(jobs.map(({ job }) => job.id)).size).toBe(3);
    expect(jobs.every(({ replayed }) => !replayed)).toBe(true);
  });

  test('answers a job that failed, too', async () => {
    world = coreWorld(async function* () {
      // An answer without a last part was cut.
    }, NO_RETRY);
    const { job } = await world.service.submit(ADA, submission({ idempotencyKey: 'k' }));
    await world.run(job);
    const again = await world.service.submit(ADA, submission({ idempotencyKey: 'k' }));
    expect(again).toMatchObject({ replayed: true, job: { id: job.id, state: 'failed' } });
    expect(await world.run(again.job)).toEqual({ refused: 'done' });
    expect(world.calls()).toBe(1);
  });
});

describe('an id', () => {
  const jobId = '0197b1a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b';

  test("that another user holds is taken, whatever the body, and shows nothing of that user's job", async () => {
    world = coreWorld();
    await world.service.submit(ADA, submission({ jobId }));
    for (const over of [{}, { input: { prompt: 'Bye.' } }]) {
      const error = await world.service.submit(BOB, submission({ jobId, ...over })).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'job_id_taken', message: 'This job id is taken. Use another one.' });
      expect(error).not.toHaveProperty('fields.status');
    }
    expect((await world.service.submit(OTHER_TENANT, submission({ jobId }))).replayed).toBe(false);
  });

  test('of a submit whose create was not answered is named, and putting it again makes no second job', async () => {
    world = coreWorld();
    world.store.fail('create', 'after');
    world.store.fail('get', 'before');
    const error = await world.service.submit(ADA, submission()).catch((thrown: unknown) => thrown);
    expect(world.store.fired()).toBe(2);
    expect(error).toMatchObject({ code: 'store_unavailable', fields: { job_id: expect.any(String) } });
    const named = (error as { fields: { job_id: string } }).fields.job_id;
    expect(isClientJobId(named)).toBe(true);

    const again = await world.service.submit(ADA, submission({ jobId: named }));
    expect(again).toMatchObject({ replayed: true, job: { id: named } });
    expect(await count()).toBe(1);
    // Its doorbell was not rung the first time.
    expect(world.published).toEqual([{ tenant: 'default', id: named }]);
  });
});

test('a derived id is a UUID of version 8, the same every time, and no client may choose one', async () => {
  const id = await derivedId('a', 'b');
  expect(id).toBe(await derivedId('a', 'b'));
  expect(id).not.toBe(await derivedId('ab'));
  expect(id[14]).toBe('8');
  expect([isJobId(id), isClientJobId(id)]).toEqual([true, false]);
});

test('a fingerprint does not depend on the order of fields, but on that of items', async () => {
  expect(await fingerprintOf({ a: 1, b: { c: 2, d: 3 } })).toBe(await fingerprintOf({ b: { d: 3, c: 2 }, a: 1 }));
  expect(await fingerprintOf([1, 2])).not.toBe(await fingerprintOf([2, 1]));
});

test.each([
  ['k', 'k'],
  ['"k"', 'k'],
  ['  "8e03978e-40d5"  ', '8e03978e-40d5'],
  [`"${'x'.repeat(255)}"`, 'x'.repeat(255)],
  [undefined, undefined],
])('the header %s is the key %s', (header, key) => {
  expect(parseIdempotencyKey(header)).toBe(key);
});

test.each(['', '""', 'x'.repeat(256), 'schlüssel', 'a\tb'])('the header %j is refused', (header) => {
  expect(() => parseIdempotencyKey(header)).toThrow('must be 1 to 255 visible ASCII characters');
});
