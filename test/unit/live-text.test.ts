/** The shared text of an attempt: gaps, attempts that change meanwhile, listeners that fall silent. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { JobKey } from '../../shared/core/job.ts';
import { liveText } from '../../shared/core/live-text.ts';
import type { Chunk, ChunkStore } from '../../shared/core/ports.ts';
import { type CoreWorld, coreWorld } from '../support/core-world.ts';

const WATCHDOG_MS = 15_000;
const key: JobKey = { tenant: 'default', id: crypto.randomUUID() };

let world: CoreWorld;
let watching: { attempt: number; afterN: number; tell: (chunks: Chunk[]) => void; isOpen: boolean }[];
let news: number;
beforeEach(() => {
  world = coreWorld();
  watching = [];
  news = 0;
});
afterEach(() => world.close());

const put = (attempt: number, n: number, text = `${attempt}.${n} `) =>
  world.chunks.put(key, { attempt, n, text }, world.clock.nowMs() + 1_000_000);
const open = () => watching.filter(({ isOpen }) => isOpen);

/** Its listeners say what there is, then what the test says, and nothing else. */
function text(over: Partial<ChunkStore> = {}) {
  const chunks: ChunkStore = {
    ...world.chunks,
    watch(_, attempt, afterN, tell) {
      const listener = { attempt, afterN, tell, isOpen: true };
      watching.push(listener);
      void world.chunks.list(key, attempt, afterN).then((found) => listener.isOpen && tell(found));
      return () => {
        listener.isOpen = false;
      };
    },
    ...over,
  };
  return liveText({ ...world, chunks, watchdogMs: WATCHDOG_MS }, key, () => {
    news += 1;
  });
}

test('what a listener leaves out is looked for', async () => {
  await put(1, 1);
  const live = text();
  const { texts } = await live.follow(1, false);
  await put(1, 2);
  await put(1, 3);
  open()[0]?.tell([{ attempt: 1, n: 3, text: '1.3 ' }]);
  await world.clock.advance(0);
  expect(texts).toEqual(['1.1 ', '1.2 ', '1.3 ']);
  expect(world.chunks.calls('list')).toBe(2);
  live.stop();
});

test('an attempt that begins while another is looked for leaves no listener of the old one', async () => {
  await put(1, 1);
  await put(2, 1);
  const live = text();
  const [old, newest] = await Promise.all([live.follow(1, false), live.follow(2, false)]);
  expect(newest).toMatchObject({ attempt: 2, texts: ['2.1 '] });
  expect(old.attempt).toBe(1);
  expect(open().map(({ attempt }) => attempt)).toEqual([2]);
  // A reader that has not heard of the newest one does not turn it back.
  expect(await live.follow(1, true)).toEqual({ attempt: 1, texts: [] });
  expect(open().map(({ attempt }) => attempt)).toEqual([2]);
  live.stop();
  expect(open()).toEqual([]);
});

test('a listener that is silent while there is text is opened anew after it; one that is not, is not', async () => {
  const live = text();
  const { texts } = await live.follow(1, false);
  await world.clock.advance(WATCHDOG_MS + 1);
  expect(watching).toHaveLength(1);
  await put(1, 1);
  await world.clock.advance(WATCHDOG_MS + 1);
  expect(texts).toEqual(['1.1 ']);
  expect(watching).toHaveLength(2);
  expect(open()).toMatchObject([{ afterN: 1 }]);
  live.stop();
  const lists = world.chunks.calls('list');
  await world.clock.advance(10 * WATCHDOG_MS);
  expect(world.chunks.calls('list')).toBe(lists);
});

test('words put the watchdog off', async () => {
  const live = text();
  await live.follow(1, false);
  const lists = world.chunks.calls('list');
  for (let n = 1; n <= 10; n++) {
    await world.clock.advance(WATCHDOG_MS / 2);
    open()[0]?.tell([{ attempt: 1, n, text: 'x' }]);
  }
  expect(world.chunks.calls('list')).toBe(lists);
  expect(news).toBe(10);
  live.stop();
});

test('many who want all of it share a look, one that begins after they asked', async () => {
  await put(1, 1);
  const live = text();
  await live.follow(1, false);
  const lists = world.chunks.calls('list');
  world.chunks.fail('list', 'slow');
  const first = live.follow(1, true);
  await world.clock.advance(0);
  await put(1, 2);
  const others = Promise.all(Array.from({ length: 500 }, () => live.follow(1, true)));
  await world.clock.until(first);
  expect((await world.clock.until(others)).every(({ texts }) => texts.length === 2)).toBe(true);
  expect(world.chunks.calls('list') - lists).toBe(2);
  live.stop();
});

test('what there is comes with a listener’s first word, and is not asked for', async () => {
  await put(1, 1);
  let asked = 0;
  const list = async () => {
    asked += 1;
    return [];
  };
  const live = text({ list });
  expect((await live.follow(1, false)).texts).toEqual(['1.1 ']);
  // Also where there is none.
  expect((await live.follow(2, false)).texts).toEqual([]);
  expect(asked).toBe(0);
  live.stop();
});

test('a listener that says nothing at first is not waited for; nor is one that is stopped', async () => {
  await put(1, 1);
  const live = text({ watch: () => () => {} });
  const startMs = world.clock.monotonicMs();
  const { texts } = await world.clock.until(live.follow(1, false));
  expect([texts, world.clock.monotonicMs() - startMs]).toEqual([['1.1 '], 500]);
  const left = live.follow(2, false);
  const stayed = live.follow(3, false);
  expect((await left).texts).toEqual([]);
  await world.clock.until(stayed);
  expect(world.clock.monotonicMs() - startMs).toBe(1_000);
  live.stop();
});
