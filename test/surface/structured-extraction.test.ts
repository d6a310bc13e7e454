/** Seed 002 over HTTP: its examples as whole bodies, every status and stage, for how long a job is found. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { JobKey } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { jobService } from '../../shared/core/service.ts';
import { jobWorker } from '../../shared/core/worker.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { callsOf, statusOf } from '../support/app.ts';
import { ADA, type Generate, NO_PROVIDERS } from '../support/core-world.ts';
import { warmExtraction } from '../support/extraction.ts';
import { appOver } from './counted-app.ts';
import { type ExtractionWorld, extractionWorld, FOUND, says, TEXT, thinks } from './extraction-world.ts';

beforeAll(warmExtraction);

let world: ExtractionWorld;
afterEach(() => world?.close());

const HOUR_MS = 3_600_000;
const UUID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);

const refuses: Generate = async function* () {
  yield { type: 'activity' };
  throw new ServiceError('auth', 'The provider does not accept our API key.');
};

test('every answer on the way to a result is as the document has it, with nothing beside', async () => {
  world = extractionWorld();
  const submitted = await world.post('/llm/submit', { text: TEXT });
  expect([submitted.status, submitted.body]).toEqual([200, { job_id: UUID }]);
  const { job_id: id } = submitted.body;
  expect(await world.status(id)).toEqual({ job_id: id, status: 'queued', stage: null });
  const early = await world.result(id);
  expect([early.status, early.body]).toEqual([404, { detail: 'No result yet. Status=queued' }]);
  await world.runToEnd(id);
  expect(await world.status(id)).toEqual({ job_id: id, status: 'finished', stage: 'done' });
  const { status, body, headers } = await world.result(id);
  expect([status, body]).toEqual([200, { job_id: id, result: FOUND }]);
  expect(headers.get('content-type')).toBe('application/json');
});

test('whoever looks after each write sees queued, calling_llm, validating, done', async () => {
  world = extractionWorld();
  const { core, status } = world;
  const seen: unknown[] = [];
  const look = async <T>({ id }: JobKey, answer: T): Promise<T> => {
    const view = await status(id);
    seen.push([view.status, view.stage]);
    return answer;
  };
  const store: JobStore = {
    ...core.store,
    create: async (job, input) => look(job, await core.store.create(job, input)),
    update: async (key, ...rest) => look(key, await core.store.update(key, ...rest)),
  };
  const models = modelCatalog({ ...NO_PROVIDERS, clock: core.clock });
  const service = jobService({ ...core, store, models, wakeShards: 1 });
  const { body } = await callsOf(appOver(core, { service })).post('/llm/submit', { text: TEXT });
  const { job_id: id } = body;
  await core.clock.until(jobWorker({ ...core, store }).run({ tenant: ADA.tenant, id }));
  service.close();
  expect(seen).toEqual([
    ['queued', null],
    ['started', 'calling_llm'],
    ['started', 'validating'],
    ['finished', 'done'],
  ]);
});

describe('a job', () => {
  test('that is being worked on is started, and has no result', async () => {
    world = extractionWorld(thinks);
    const id = await world.submit();
    const running = world.run(id);
    await world.clock.advance(1_000);
    expect(await world.status(id)).toEqual({ job_id: id, status: 'started', stage: 'calling_llm' });
    expect((await world.result(id)).body).toEqual({ detail: 'No result yet. Status=started' });
    await world.cancel(id);
    await world.clock.until(running);
  });

  test('that waits between two attempts shows calling_llm', async () => {
    world = extractionWorld(async function* (request, signal, call) {
      if (call === 1) throw new ServiceError('overloaded', 'Busy.', { retryAfterMs: 120_000 });
      if (call === 2) throw new ServiceError('network', 'Cut.');
      yield* says(FOUND)(request, signal, call);
    });
    const id = await world.submit();
    await world.runToEnd(id);
    // Longer than is waited in place.
    expect(await world.jobOf(id)).toMatchObject({ stage: 'waiting', leaseExpiresAt: null });
    expect(await world.status(id)).toEqual({ job_id: id, status: 'started', stage: 'calling_llm' });
    await world.clock.advance(120_000);
    const running = world.run(id);
    await world.clock.advance(4_000);
    expect(await world.jobOf(id)).toMatchObject({ attempt: 3, failures: 2 });
    expect(await world.status(id)).toEqual({ job_id: id, status: 'started', stage: 'calling_llm' });
    await world.clock.until(running);
    expect(await world.status(id)).toEqual({ job_id: id, status: 'finished', stage: 'done' });
  });

  test.each<[string, Generate, string | null]>([
    ['in its call', refuses, 'calling_llm'],
    ['in the check of its answer', says('{"summary":"no more"}'), 'validating'],
  ])('that failed %s says where', async (_, generate, stage) => {
    world = extractionWorld(generate);
    const id = await world.submit();
    await world.runToEnd(id);
    expect(await world.status(id)).toEqual({ job_id: id, status: 'failed', stage });
    const { status, body } = await world.result(id);
    expect([status, body]).toEqual([404, { detail: 'No result yet. Status=failed' }]);
  });

  test('that never started has no stage', async () => {
    world = extractionWorld();
    const submission = { jobType: 'structured_extraction', model: 'simulated', input: { text: TEXT } };
    const { job } = await world.core.service.submit(ADA, { ...submission, limits: { startWithinMs: 1_000 } });
    await world.clock.advance(2_000);
    await world.runToEnd(job.id);
    expect((await world.jobOf(job.id))?.error?.code).toBe('start_timeout');
    expect(await world.status(job.id)).toEqual({ job_id: job.id, status: 'failed', stage: null });
  });

  test('is found for one hour after its end, and by the canonical contract for longer', async () => {
    world = extractionWorld();
    const id = await world.submit();
    await world.clock.advance(2 * HOUR_MS);
    await world.runToEnd(id);
    await world.clock.advance(HOUR_MS - 1);
    expect(await world.status(id)).toEqual({ job_id: id, status: 'finished', stage: 'done' });
    expect((await world.result(id)).body).toEqual({ job_id: id, result: FOUND });
    await world.clock.advance(1);
    const late = [await world.get(`/llm/status/${id}`), await world.result(id), await world.cancel(id)];
    expect(late.map(({ status, body }) => [status, body])).toEqual([
      [404, { detail: 'Job not found' }],
      [404, { detail: 'No result yet. Status=unknown' }],
      [404, { detail: 'Job not found' }],
    ]);
    expect((await world.get(statusOf(id))).body).toMatchObject({ status: 'completed' });
  });

  test('is found by whoever repeats its submission, or the key is refused', async () => {
    world = extractionWorld();
    const key = { 'Idempotency-Key': 'mine-1' };
    const id = await world.submit(undefined, key);
    const [first] = (await world.post('/llm/submit/batch', { texts: [TEXT] }, key)).body.job_ids;
    await world.runToEnd(id);
    await world.runToEnd(first);
    await world.clock.advance(HOUR_MS - 60_000);
    expect(await world.submit(undefined, key)).toBe(id);
    await world.clock.advance(60_000);
    const late = [
      await world.post('/llm/submit', { text: TEXT }, key),
      await world.post('/llm/submit/batch', { texts: [TEXT] }, key),
    ];
    const gone = { detail: 'The job of this Idempotency-Key is gone. Use another one.' };
    expect(late.map(({ status, body }) => [status, body])).toEqual([
      [409, gone],
      [409, gone],
    ]);
  });

  test('is not found that is none, or of another type; a cancel does not touch it', async () => {
    world = extractionWorld();
    const other = (await world.core.submit()).id;
    for (const id of ['x', '%20', 'null', crypto.randomUUID(), other]) {
      expect([id, (await world.get(`/llm/status/${id}`)).body]).toEqual([id, { detail: 'Job not found' }]);
      const result = await world.result(id);
      expect([id, result.status, result.body]).toEqual([id, 404, { detail: 'No result yet. Status=unknown' }]);
      const cancelled = await world.cancel(id);
      expect([id, cancelled.status, cancelled.body]).toEqual([id, 404, { detail: 'Job not found' }]);
    }
    expect((await world.jobOf(other))?.state).toBe('pending');
    const mine = await world.submit();
    expect((await world.status(mine.toUpperCase())).job_id).toBe(mine);
  });
});
