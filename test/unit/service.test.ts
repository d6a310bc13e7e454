/** Submitting and reading: what a surface gets when the store or the queue does not do its part. */
import { afterEach, expect, test } from 'vitest';
import { jobService } from '../../shared/core/service.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { ADA, type CoreWorld, coreWorld, NO_PROVIDERS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

const SUBMISSION = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.' } };

function serviceWith(publish: () => Promise<void>) {
  world = coreWorld();
  return jobService({
    ...world,
    queue: { publish },
    models: modelCatalog({ ...NO_PROVIDERS, clock: world.clock }),
    wakeShards: 4,
  });
}

test('a publish that hangs is given up after two seconds, and the job is accepted', async () => {
  const service = serviceWith(() => new Promise(() => {}));
  const startedMs = world.clock.monotonicMs();
  const { job } = await world.clock.until(service.submit(ADA, SUBMISSION));
  expect(world.clock.monotonicMs() - startedMs).toBe(2_000);
  expect(await world.read(job)).toEqual(job);
});

test('a publish that fails is logged, and the job is accepted', async () => {
  const service = serviceWith(() => Promise.reject(new Error('no queue')));
  const { job } = await service.submit(ADA, SUBMISSION);
  expect(await world.read(job)).toEqual(job);
  expect(world.lines.join()).toContain('doorbell-unpublished');
});

test('a create that did not happen, and whose fate cannot be known, names the job id', async () => {
  world = coreWorld();
  world.store.fail('create', 'before');
  const error = await world.submit().catch((thrown: unknown) => thrown);
  expect(world.store.fired()).toBe(1);
  expect(error).toMatchObject({
    code: 'store_unavailable',
    retryAfterMs: 1_000,
    fields: { job_id: expect.any(String) },
  });
  expect(world.published).toEqual([]);
});

test('a store that gives no answer at all keeps a submit waiting for less than ten seconds', async () => {
  world = coreWorld();
  world.store.fail('create', 'hang');
  world.store.fail('get', 'hang');
  const startedMs = world.clock.monotonicMs();
  const error = await world.clock.until(world.submit().catch((thrown: unknown) => thrown));
  expect(world.store.fired('hang')).toBe(2);
  expect(error).toMatchObject({ code: 'store_unavailable', fields: { job_id: expect.any(String) } });
  expect(world.clock.monotonicMs() - startedMs).toBe(7_000);
});

test('… and a batch not longer: those of its jobs that were not on their way by then are not tried', async () => {
  world = coreWorld();
  world.store.fail('create', 'hang', { times: 1_000 });
  world.store.fail('get', 'hang', { times: 1_000 });
  const items = Array.from({ length: 100 }, () => ({ submission: SUBMISSION, name: undefined }));
  const startedMs = world.clock.monotonicMs();
  const { outcomes } = await world.clock.until(world.service.submitBatch(ADA, { key: 'k', items }));
  expect(world.clock.monotonicMs() - startedMs).toBe(7_000);
  expect(world.store.calls('create')).toBeLessThan(100);
  const refused = outcomes.map((outcome) => ('refused' in outcome ? outcome.refused : undefined));
  expect(refused.map((error) => error?.code)).toEqual(Array(100).fill('store_unavailable'));
  expect(refused.at(-1)?.message).toContain('was not tried');
});

test("somebody else's job is not found, unless an admin of the tenant asks", async () => {
  world = coreWorld();
  const job = await world.submit();
  const bob = { ...ADA, user: 'bob' };
  const stranger = { ...ADA, tenant: 'other', scopes: ['admin'] } as const;
  for (const principal of [bob, stranger]) {
    await expect(world.service.read(principal, job.id)).rejects.toMatchObject({ code: 'job_not_found' });
    expect(await world.service.list(principal, { limit: 10, offset: 0 })).toMatchObject({ jobs: [] });
  }
  const admin = { ...bob, scopes: ['admin'] } as const;
  expect(await world.service.read(admin, job.id)).toMatchObject({ job });
  expect(await world.service.list(admin, { limit: 10, offset: 0 })).toMatchObject({ jobs: [{ job }] });
});

test('an id in capitals is the same id, and a malformed one costs no read', async () => {
  world = coreWorld();
  const job = await world.submit();
  expect(await world.service.read(ADA, job.id.toUpperCase())).toMatchObject({ job });
  const reads = world.store.calls('get');
  await expect(world.service.read(ADA, '../other~id')).rejects.toMatchObject({ code: 'job_not_found' });
  expect(world.store.calls('get')).toBe(reads);
});

test('jobs are spread over the slices of the sweep', async () => {
  const service = serviceWith(async () => {});
  const submitted = await Promise.all(Array.from({ length: 60 }, () => service.submit(ADA, SUBMISSION)));
  expect(new Set(submitted.map(({ job }) => job.wakeShard))).toEqual(new Set([0, 1, 2, 3]));
});
