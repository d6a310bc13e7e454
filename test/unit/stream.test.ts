/** What a stream does where memory and store differ: cursors from elsewhere, listeners that are behind or silent, chunks that are gone. */
import { afterEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { WATCHDOG_MS } from '../../shared/core/known-job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { type ChunkStore, type JobStore, sleep } from '../../shared/core/ports.ts';
import { type JobService, jobService } from '../../shared/core/service.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { ADA, type CoreWorld, coreWorld, FINISH, NO_PROVIDERS } from '../support/core-world.ts';
import { idsOf, take, textOf } from '../support/reader.ts';

const STEP_MS = 1_000;

let world: CoreWorld;
const others: JobService[] = [];
afterEach(() => {
  for (const service of others.splice(0)) service.close();
  world.close();
});

/** A world whose model says these words, one a second. */
function speaking(...words: string[]): CoreWorld {
  world = coreWorld(async function* (): AsyncIterable<LlmPart> {
    for (const text of words) {
      yield { type: 'text-delta', text };
      await sleep(world.clock, STEP_MS);
    }
    yield FINISH;
  });
  return world;
}

/** Another process on the same stores, some of whose calls are replaced. */
function elsewhere({ store, chunks }: { store?: Partial<JobStore>; chunks?: Partial<ChunkStore> } = {}): JobService {
  const service = jobService({
    ...world,
    store: { ...world.store, ...store },
    chunks: { ...world.chunks, ...chunks },
    models: modelCatalog({ ...NO_PROVIDERS, clock: world.clock }),
    wakeShards: 1,
  });
  others.push(service);
  return service;
}

const until: CoreWorld['clock']['until'] = (promise) => world.clock.until(promise);

async function completed(...words: string[]): Promise<Job> {
  speaking(...words);
  const job = await world.submit('Hello.', { stream: true });
  await until(world.run(job));
  return world.read(job);
}

describe('a cursor', () => {
  test('at the end is over; before it gets the rest; none gets a snapshot and the end', async () => {
    const job = await completed('one ', 'two ', 'three');
    expect(await take(world.service, job, until, { cursor: 1_999_999 })).toEqual({ events: [], isOver: true });
    const { events } = await take(world.service, job, until, { cursor: 1_000_001 });
    expect(events.map(({ type }) => type)).toEqual(['delta', 'delta', 'done']);
    expect(textOf(events)).toBe('two three');
    const whole = await take(world.service, job, until);
    expect(whole.events).toMatchObject([
      { type: 'snapshot', id: 1_000_003, text: undefined, seen: { job: { result: { result: 'one two three' } } } },
      { type: 'done', id: 1_999_999 },
    ]);
    // Dropped between the two: nothing is left to say but the end.
    const last = await take(world.service, job, until, { cursor: 1_000_003 });
    expect(last.events.map(({ type }) => type)).toEqual(['done']);
  });

  test.each([
    ['of an attempt that never was', 7_000_001],
    ['of a chunk that never was', 1_000_009],
    ['of the end of another attempt', 999_999],
    ['beyond all', Number.MAX_SAFE_INTEGER],
  ])('%s gets a new snapshot, never an error', async (_, cursor) => {
    const job = await completed('one ', 'two ');
    const { events } = await take(world.service, job, until, { cursor });
    expect(events.map(({ type }) => type)).toEqual(['snapshot', 'done']);
  });

  test('whose chunks are gone gets a new snapshot and the end', async () => {
    const job = await completed('one ', 'two ', 'three');
    await world.chunks.remove(job);
    const { events } = await take(world.service, job, until, { cursor: 1_000_001 });
    expect(events).toMatchObject([{ type: 'snapshot', id: 1_000_003 }, { type: 'done' }]);
    expect(idsOf(events)[0]).toBeGreaterThan(1_000_001);
  });

  test('of a job that failed long ago gets what is left, and the end', async () => {
    world = coreWorld(async function* (): AsyncIterable<LlmPart> {
      yield { type: 'text-delta', text: 'one' };
      throw new ServiceError('content_policy', 'told to fail');
    });
    const job = await world.submit('Hello.', { stream: true });
    await until(world.run(job));
    expect(textOf((await take(world.service, job, until)).events)).toBe('one');
    await world.chunks.remove(job);
    await world.clock.advance(60_000);
    for (const cursor of [undefined, 1_000_000]) {
      const { events } = await take(world.service, job, until, { cursor });
      expect(events).toMatchObject([{ type: 'snapshot', id: 1_000_001, text: undefined }, { type: 'done' }]);
    }
  });

  test('that is ahead of what this process knows makes it look, and nothing goes back', async () => {
    speaking('one ', 'two ', 'three');
    const job = await world.submit('Hello.', { stream: true });
    let told = 0;
    // It hears of the job as it is now, and of nothing after that; neither of chunks.
    const behind = elsewhere({
      store: {
        watch: (key, onJob) => world.store.watch(key, (found) => (++told === 1 ? onJob(found) : undefined)),
      },
      chunks: { watch: () => () => {} },
    });
    const stale = await take(behind, job, until, { most: 1 });
    expect(stale.events).toMatchObject([{ type: 'snapshot', id: 0 }]);
    const held = take(behind, job, (promise) => promise);
    held.catch(() => {});
    const running = world.run(job);
    await world.clock.advance(STEP_MS * 1.5);
    const here = await take(world.service, job, until, { most: 1 });
    expect(here.events).toMatchObject([{ type: 'snapshot', id: 1_000_002, text: 'one two ' }]);

    expect((await behind.read(ADA, job.id)).job.state).toBe('pending');
    const moved = await take(behind, job, until, { cursor: 1_000_002, most: 1 });
    expect(moved.events).toMatchObject([{ type: 'delta', id: 1_000_003, text: 'three' }]);
    expect(told).toBeGreaterThan(1);
    await until(running);
  });

  test('at an end that this process has not heard of is over all the same', async () => {
    speaking('one');
    const job = await world.submit('Hello.', { stream: true });
    const before = await world.store.get(job);
    const behind = elsewhere({
      store: {
        watch(_, onJob) {
          world.clock.setTimer(() => onJob(before), 0);
          return () => {};
        },
      },
    });
    await until(world.run(job));
    const stop = new AbortController();
    // Somebody waits there, and is told that the job is pending.
    await until(behind.stream(ADA, job.id, undefined, stop.signal));
    expect((await behind.read(ADA, job.id)).job.state).toBe('pending');
    expect(await take(behind, job, until, { cursor: 1_999_999 })).toEqual({ events: [], isOver: true });
    stop.abort();
  });
});

test('of a job that time ended while its worker was lost, nothing is shown that may still change', async () => {
  speaking('one');
  const job = await world.submit('Hello.', { stream: true });
  const stored = await world.store.get(job);
  const lost = { n: 1, startedAt: 1, provider: 'p', model: 'm', calls: 1, outcome: 'lost' as const };
  const error = { code: 'job_timeout', message: 'too late' };
  const ended = { state: 'failed' as const, version: 5, attempt: 1, attempts: [lost], error };
  await world.store.update(job, stored?.revision ?? '', ended);
  await world.chunks.put(job, { attempt: 1, n: 1, text: 'of a zombie' }, world.clock.nowMs() + 1_000);
  for (const cursor of [undefined, 0, 1_000_000]) {
    const { events } = await take(world.service, job, until, { cursor });
    expect(events.at(-1)).toMatchObject({ type: 'done', seen: { job: { error } } });
    expect(JSON.stringify(events)).not.toContain('zombie');
  }
});

test('a job that is deleted says nothing more, to readers who are there either', async () => {
  speaking('one ', 'two ', 'three ', 'four ', 'five ');
  const job = await world.submit('Hello.', { stream: true });
  const reader = take(elsewhere(), job, (promise) => promise);
  const running = world.run(job);
  await world.clock.advance(STEP_MS * 1.5);
  await world.service.remove(ADA, job.id);
  await until(running);
  const { events } = await until(reader);
  expect(textOf(events)).toBe('one two ');
  expect(events.every(({ type }) => type !== 'done')).toBe(true);
  expect(JSON.stringify(events)).not.toContain('deletedAt');
  await expect(take(world.service, job, until)).rejects.toMatchObject({ code: 'job_not_found' });
});

test('only so many jobs that are over are remembered', async () => {
  world = coreWorld();
  const jobs = await Promise.all(Array.from({ length: 250 }, () => world.submit()));
  await until(Promise.all(jobs.map((job) => world.run(job))));
  const reads = async (job: Job | undefined) => {
    const before = world.store.calls('get');
    await world.service.read(ADA, job?.id ?? '');
    return world.store.calls('get') - before;
  };
  for (const job of jobs) expect(await reads(job)).toBe(1);
  expect(await reads(jobs.at(-1))).toBe(0);
  expect(await reads(jobs[0])).toBe(1);
});

test('Q02: listeners that fall silent are noticed within the watchdog, of the job and of its text', async () => {
  speaking(...Array.from({ length: 60 }, (_, index) => `${index} `));
  const job = await world.submit('Hello.', { stream: true });
  const hushed = { job: 0, chunks: 0 };
  let isSilent = false;
  const service = elsewhere({
    store: {
      watch: (key, onJob) => world.store.watch(key, (found) => (isSilent ? void hushed.job++ : onJob(found))),
    },
    chunks: {
      watch: (key, attempt, afterN, onChunks) =>
        world.chunks.watch(key, attempt, afterN, (found) => (isSilent ? void hushed.chunks++ : onChunks(found))),
    },
  });
  const running = world.run(job);
  const seenAtMs: { type: string; atMs: number }[] = [];
  const stop = new AbortController();
  const stream = await until(service.stream(ADA, job.id, undefined, stop.signal));
  if ('over' in stream) throw new Error('it has only begun');
  const reading = (async () => {
    for await (const { type } of stream.events) seenAtMs.push({ type, atMs: world.clock.monotonicMs() });
  })();
  await world.clock.advance(10 * STEP_MS);
  isSilent = true;
  await until(running);
  const endedMs = world.clock.monotonicMs();
  await until(reading);

  expect(hushed.job).toBeGreaterThan(0);
  expect(hushed.chunks).toBeGreaterThan(10);
  const shown = seenAtMs.filter(({ type }) => type === 'delta' || type === 'done').map(({ atMs }) => atMs);
  const waits = shown.map((atMs, index) => atMs - (shown[index - 1] ?? atMs));
  expect(Math.max(...waits)).toBeLessThanOrEqual(WATCHDOG_MS + STEP_MS);
  expect(world.clock.monotonicMs() - endedMs).toBeLessThanOrEqual(WATCHDOG_MS);
  // The first word was in the snapshot.
  expect(seenAtMs.filter(({ type }) => type === 'delta')).toHaveLength(59);
});

test('500 readers of one job share one listener and one text, all see the end, and nothing is left', async () => {
  speaking('one ', 'two ', 'three');
  const job = await world.submit('Hello.', { stream: true });
  const readers = Array.from({ length: 500 }, () => take(world.service, job, (promise) => promise));
  await world.clock.advance(0);
  expect(world.service.listeners()).toBe(1);
  const reads = world.store.calls('get');
  await until(world.run(job));
  const taken = await until(Promise.all(readers));
  expect(new Set(taken.map(({ events }) => textOf(events)))).toEqual(new Set(['one two three']));
  expect(new Set(taken.map(({ events }) => events.at(-1)?.type))).toEqual(new Set(['done']));
  // They came before the first attempt: there was no text to be replaced.
  expect(taken.every(({ events }) => events.every(({ type }) => type !== 'reset'))).toBe(true);
  expect(world.service.listeners()).toBe(0);
  expect(world.store.calls('get')).toBe(reads);
  // One look when the attempt began, one when it ended, at most.
  expect(world.chunks.calls('list')).toBeLessThanOrEqual(2);
  expect(world.chunks.calls('watch')).toBe(1);
});

test('500 readers of 500 jobs all see the end, and no listener is left', async () => {
  speaking('one ', 'two');
  const jobs = await Promise.all(Array.from({ length: 500 }, () => world.submit('Hello.', { stream: true })));
  const readers = jobs.map((job) => take(world.service, job, (promise) => promise));
  await world.clock.advance(0);
  expect(world.service.listeners()).toBe(500);
  await until(Promise.all(jobs.map((job) => world.run(job))));
  const taken = await until(Promise.all(readers));
  expect(taken.map(({ events }) => events.at(-1)?.type)).toEqual(jobs.map(() => 'done'));
  expect(world.service.listeners()).toBe(0);
});

test('readers that leave early leave no listener behind, neither of the job nor of its text', async () => {
  speaking('one ', 'two ', 'three ', 'four');
  const open = { job: 0, chunks: 0, most: 0 };
  const counted = (kind: 'job' | 'chunks', stop: () => void) => {
    open[kind] += 1;
    open.most = Math.max(open.most, open.job + open.chunks);
    return () => {
      open[kind] -= 1;
      stop();
    };
  };
  const service = elsewhere({
    store: { watch: (key, onJob) => counted('job', world.store.watch(key, onJob)) },
    chunks: { watch: (...values) => counted('chunks', world.chunks.watch(...values)) },
  });
  const job = await world.submit('Hello.', { stream: true });
  const running = world.run(job);
  await world.clock.advance(STEP_MS / 2);
  for (const most of [0, 1, 2]) {
    const readers = Array.from({ length: 100 }, () => take(service, job, (promise) => promise, { most }));
    await until(Promise.all(readers));
  }
  const stop = new AbortController();
  // Gone before it asked for anything.
  await until(service.stream(ADA, job.id, undefined, stop.signal));
  stop.abort();
  // Gone while its text is being looked for.
  const hasty = new AbortController();
  const stream = await until(service.stream(ADA, job.id, undefined, hasty.signal));
  if (!('events' in stream)) throw new Error('it is not over');
  const first = stream.events[Symbol.asyncIterator]().next();
  hasty.abort();
  await until(first);
  await until(running);
  await world.clock.advance(60_000);
  expect(open).toEqual({ job: 0, chunks: 0, most: 2 });
  expect(service.listeners()).toBe(0);
});

test("somebody else's stream, an unknown one and a malformed id are not found, and no listener stays", async () => {
  speaking('one');
  const job = await world.submit('Hello.', { stream: true });
  const bob = { ...ADA, user: 'bob' };
  for (const [as, id] of [
    [bob, job.id],
    [{ ...ADA, tenant: 'other' }, job.id],
    [ADA, crypto.randomUUID()],
    [ADA, 'nonsense'],
  ] as const) {
    await expect(take(world.service, { id }, until, { as })).rejects.toMatchObject({ code: 'job_not_found' });
  }
  await world.clock.advance(60_000);
  expect(world.service.listeners()).toBe(0);
});

test('a store that gives no answer when a reader comes is an error before any event', async () => {
  speaking('one');
  const job = await world.submit('Hello.', { stream: true });
  const silent = elsewhere({ store: { watch: () => () => {} } });
  world.store.fail('get', 'before');
  await expect(take({ ...silent }, job, until)).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(world.store.fired()).toBe(1);
});

test('chunks that could not be read at first are read in time', async () => {
  speaking('one ', 'two ', 'three ');
  const job = await world.submit('Hello.', { stream: true });
  world.chunks.watch = () => () => {};
  world.chunks.fail('list', 'before');
  const reader = take(world.service, job, (promise) => promise);
  await until(world.run(job));
  const { events } = await until(reader);
  expect(world.chunks.fired()).toBe(1);
  expect(textOf(events)).toBe('one two three ');
});
