/** Chunks: what is written of an answer, when, and what a store that fails makes of it. */
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { chunkWriter } from '../../shared/core/chunk-writer.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import { type CoreWorld, coreWorld, FINISH, FLUSH_MS } from '../support/core-world.ts';
import { idsOf, resultText, take, textOf } from '../support/reader.ts';

let world: CoreWorld;
afterEach(() => world.close());

/** Runs a streamed job whose model says these pieces, each after its pause, and ends. */
async function run(pieces: readonly (readonly [text: string, pauseMs: number])[]): Promise<Job> {
  world = coreWorld(async function* (): AsyncIterable<LlmPart> {
    for (const [text, pauseMs] of pieces) {
      await sleep(world.clock, pauseMs);
      yield { type: 'text-delta', text };
    }
    yield FINISH;
  });
  const job = await world.submit('Hello.', { stream: true });
  await world.clock.until(world.run(job));
  return world.read(job);
}

const chunksOf = (job: Job) => world.chunks.list(job, 1, 0);
const repeat = <T>(times: number, value: T) => Array.from({ length: times }, () => value);

test('the first word is written at once, then every quarter of a second, whatever the model does', async () => {
  const job = await run(repeat(100, ['word ', 10] as const));
  const chunks = await chunksOf(job);
  expect(chunks[0]).toEqual({ attempt: 1, n: 1, text: 'word ' });
  expect(chunks.map(({ n }) => n)).toEqual(chunks.map((_, index) => index + 1));
  // One second of words: the first, one per flush, and the rest.
  expect(chunks.length).toBeGreaterThanOrEqual(1_000 / FLUSH_MS);
  expect(chunks.length).toBeLessThanOrEqual(1_000 / FLUSH_MS + 2);
  expect(chunks.map(({ text }) => text).join('')).toBe(resultText(job));
  expect(job.attempts).toMatchObject([{ chunks: chunks.length }]);
});

test('a kilobyte is written at once', async () => {
  const job = await run([['x', 0] as const, ...repeat(10, ['y'.repeat(1_024), 1] as const)]);
  expect((await chunksOf(job)).length).toBeGreaterThan(5);
});

test('what is said while the store is slow follows in chunks of bounded size, whole, also at the end', async () => {
  const SENTENCE = 'Große 分析 👩‍🔬. ';
  const long = SENTENCE.repeat(15_000);
  // The first write takes long, and all that follows has come by then.
  world = coreWorld(async function* (): AsyncIterable<LlmPart> {
    yield { type: 'text-delta', text: 'x' };
    yield { type: 'text-delta', text: long };
    await sleep(world.clock, 5_000);
    yield { type: 'text-delta', text: long };
    yield FINISH;
  });
  world.chunks.fail('put', 'slow', { times: 1 });
  const job = await world.submit('Hello.', { stream: true });
  const reader = take(world.service, job, (promise) => promise);
  await world.clock.until(world.run(job));
  expect(world.chunks.fired('slow')).toBe(1);
  const chunks = await chunksOf(await world.read(job));
  const sizes = chunks.map(({ text }) => Buffer.byteLength(text));
  expect(sizes.length).toBeGreaterThan(4);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1_024);
  expect(chunks.every(({ text }) => text.isWellFormed())).toBe(true);
  expect(textOf((await world.clock.until(reader)).events)).toBe(`x${long}${long}`);
  expect((await world.read(job)).attempts).toMatchObject([{ chunks: chunks.length }]);
});

test('a job that is not streamed writes no chunk', async () => {
  world = coreWorld();
  const job = await world.submit();
  await world.run(job);
  expect(world.chunks.calls('put')).toBe(0);
  expect(world.chunks.calls('list')).toBe(0);
});

test('the streamed text is the result, byte for byte, however it is cut', async () => {
  const ALPHABET = [
    '👩‍🔬',
    '👨‍👩‍👧‍👦',
    '漢字',
    'e\u0301',
    'ﷺ',
    '\u200d',
    '\ud83d',
    '\udc69',
    'a',
    '\u0000',
    '\n',
    '🇩🇪',
    '"',
  ];
  const text = fc
    .array(fc.oneof(fc.constantFrom(...ALPHABET), fc.string({ unit: 'binary' })), { minLength: 1, maxLength: 30 })
    .map((words) => words.join(''))
    .filter((joined) => joined !== '');
  const cuts = fc.array(fc.tuple(fc.nat(40), fc.constantFrom(0, 1, 100, 300)), { minLength: 1, maxLength: 40 });
  let halves = 0;
  await fc.assert(
    fc.asyncProperty(text, cuts, async (whole, pieces) => {
      const parts: [string, number][] = [];
      let rest = whole;
      for (const [length, pauseMs] of pieces) {
        parts.push([rest.slice(0, length), pauseMs]);
        if (/[\ud800-\udbff]$/.test(rest.slice(0, length)) && /^[\udc00-\udfff]/.test(rest.slice(length))) halves += 1;
        rest = rest.slice(length);
      }
      const job = await run([...parts, [rest, 300]]);
      const { events } = await take(world.service, job, world.clock.until, { cursor: 1_000_000 });
      expect(resultText(job)).toBe(whole.toWellFormed());
      expect(textOf(events)).toBe(resultText(job));
      const chunks = await chunksOf(job);
      expect(chunks.every((chunk) => chunk.text.isWellFormed() && chunk.text !== '')).toBe(true);
      world.close();
    }),
    { numRuns: 150 },
  );
  // It did cut within characters.
  expect(halves).toBeGreaterThan(10);
});

test.each(['before', 'after', 'late', 'hang'] as const)(
  'a chunk whose write fails (%s) keeps its number and its text, and nothing is missing or double',
  async (fault) => {
    world = coreWorld(async function* (): AsyncIterable<LlmPart> {
      for (let word = 0; word < 40; word++) {
        yield { type: 'text-delta', text: `${word} ` };
        await sleep(world.clock, 500);
      }
      yield FINISH;
    });
    const puts: string[] = [];
    const { put } = world.chunks;
    world.chunks.put = (key, chunk, deleteAt) => {
      puts.push(`${chunk.n}:${chunk.text}`);
      return put(key, chunk, deleteAt);
    };
    world.chunks.fail('put', fault, { times: 2, skip: 3 });
    const job = await world.submit('Hello.', { stream: true });
    const reader = take(world.service, job, (promise) => promise);
    await world.clock.until(world.run(job));
    const { events } = await world.clock.until(reader);
    expect(world.chunks.fired(fault)).toBe(2);
    expect(puts.filter((one) => one.startsWith('4:'))).toHaveLength(3);
    expect(new Set(puts.filter((one) => one.startsWith('4:'))).size).toBe(1);
    expect(textOf(events)).toBe(resultText(await world.read(job)));
  },
);

test('a store that takes no chunk does not keep a job from its end, and readers get the result', async () => {
  world = coreWorld(async function* (): AsyncIterable<LlmPart> {
    yield { type: 'text-delta', text: 'one ' };
    await sleep(world.clock, 1_000);
    yield { type: 'text-delta', text: 'two' };
    yield FINISH;
  });
  world.chunks.fail('put', 'before', { times: Infinity, skip: 1 });
  const job = await world.submit('Hello.', { stream: true });
  const reader = take(world.service, job, (promise) => promise);
  const startedMs = world.clock.monotonicMs();
  await world.clock.until(world.run(job));
  expect(world.chunks.fired()).toBeGreaterThan(10);
  expect(world.clock.monotonicMs() - startedMs).toBeLessThan(15_000);
  const { events } = await world.clock.until(reader);
  // What they have is not all: they are told to begin anew, and then the end.
  expect(events.map(({ type }) => type).slice(-2)).toEqual(['snapshot', 'done']);
  expect(events.at(-2)).toMatchObject({ text: undefined, seen: { job: { result: { result: 'one two' } } } });
  expect(idsOf(events)).toEqual([...new Set(idsOf(events))].sort((left, right) => left - right));
  expect((await world.read(job)).attempts[0]).not.toHaveProperty('chunks', expect.anything());
  // Wherever a reader comes back, it gets just what it has not had.
  const ids = idsOf(events);
  for (const [cursor, types] of [
    [1_000_001, ['snapshot', 'done']],
    [ids.at(-2), ['done']],
  ] as const) {
    const back = await take(world.service, job, world.clock.until, { cursor });
    expect(back.events.map(({ type }) => type)).toEqual(types);
  }
});

test('an attempt that was lost is not waited for: what is under way may land, and is not counted', async () => {
  world = coreWorld();
  const job = await world.submit('Hello.', { stream: true });
  const writer = chunkWriter({ ...world }, { ...job, attempt: 1 });
  world.chunks.fail('put', 'slow');
  writer.add('one ');
  writer.add('two ');
  expect(await world.clock.until(writer.end(0))).toBeUndefined();
  expect(world.chunks.fired()).toBe(1);
  await world.clock.advance(60_000);
  expect((await chunksOf(job)).map(({ text }) => text)).toEqual(['one ']);
});
