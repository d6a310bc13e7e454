/** A source that is read until a signal: each way in which that ends leaves nothing behind. */
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { untilAborted } from '../../shared/core/aborted.ts';

const REASON = new Error('told to stop');

/** A source by hand, with what was asked of it. */
function source(steps: (() => Promise<IteratorResult<number>>)[]) {
  const asked = { next: 0, returned: 0 };
  const iterable: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next() {
        const step = steps[asked.next++];
        return step ? step() : Promise.resolve({ done: true, value: undefined });
      },
      return() {
        asked.returned += 1;
        return Promise.reject(new Error('nobody hears of it'));
      },
    }),
  };
  return { iterable, asked };
}

const says = (value: number) => async (): Promise<IteratorResult<number>> => ({ done: false, value });
const hangs = () => new Promise<never>(() => {});
const breaks = () => Promise.reject(new Error('broken'));
const throws = (): never => {
  throw new Error('broken at once');
};

const nonsense = async () => undefined as unknown as IteratorResult<number>;

async function readAll(iterable: AsyncIterable<number>, signal: AbortSignal, each = (_: number) => {}) {
  const heard: number[] = [];
  try {
    for await (const one of untilAborted(iterable, signal)) {
      heard.push(one);
      each(one);
      if (one === 3) break;
    }
    return { heard };
  } catch (error) {
    return { heard, error: (error as Error).message };
  }
}

test.each([
  ['to its end', [says(1), says(2)], { heard: [1, 2] }],
  ['until the reader leaves', [says(1), says(3), says(4)], { heard: [1, 3] }],
  ['until it breaks', [says(1), breaks], { heard: [1], error: 'broken' }],
  ['until it throws at once', [says(1), throws], { heard: [1], error: 'broken at once' }],
  ['until it answers nonsense', [says(1), nonsense], { heard: [1], error: 'undefined is no step of an iterator' }],
])('%s: the source is left once, and nobody listens any more', async (_, steps, outcome) => {
  const { signal } = new AbortController();
  const { iterable, asked } = source(steps);
  expect(await readAll(iterable, signal)).toEqual(outcome);
  expect(asked.returned).toBe(1);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('one that hangs is left as soon as the signal comes, with its reason', async () => {
  const controller = new AbortController();
  const { iterable, asked } = source([says(1), hangs]);
  const reading = readAll(iterable, controller.signal);
  await expect.poll(() => asked.next).toBe(2);
  controller.abort(REASON);
  expect(await reading).toEqual({ heard: [1], error: 'told to stop' });
  expect(asked.returned).toBe(1);
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
});

test('one that has more at once is asked for nothing after the signal', async () => {
  const controller = new AbortController();
  const { iterable, asked } = source([says(1), says(2), says(4)]);
  const outcome = await readAll(iterable, controller.signal, (one) => one === 2 && controller.abort(REASON));
  expect(outcome).toEqual({ heard: [1, 2], error: 'told to stop' });
  expect(asked).toEqual({ next: 2, returned: 1 });
});

test('whoever asks on after the end is told of the end', async () => {
  const { signal } = new AbortController();
  const iterator = untilAborted(source([]).iterable, signal)[Symbol.asyncIterator]();
  expect([await iterator.next(), await iterator.next()]).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
});
