/** Turns: one at a time under a name, in order, whatever becomes of the one before. */
import { expect, test } from 'vitest';
import { turns } from '../../shared/core/turns.ts';

/** Work that ends when it is told to. */
function gate() {
  let open = () => {};
  let fail = (_: Error) => {};
  const over = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { over, open: () => open(), fail: (error: Error) => fail(error) };
}

/** Everything that can happen by now has happened. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

test('under one name each begins when all before are over, in their order; under another at once', async () => {
  const inTurn = turns();
  const begun: number[] = [];
  const gates = [gate(), gate(), gate()];
  const all = gates.map(({ over }, n) =>
    inTurn('a', async () => {
      begun.push(n);
      await over;
      return n;
    }),
  );
  expect(await inTurn('b', async () => 'at once')).toBe('at once');
  for (const [n, { open }] of gates.entries()) {
    await quiet();
    expect(begun).toEqual([0, 1, 2].slice(0, n + 1));
    open();
    expect(await all[n]).toBe(n);
  }
});

test('one that fails fails alone, and the next has its turn', async () => {
  const inTurn = turns();
  const first = gate();
  const failing = inTurn('a', () => first.over);
  const next = inTurn('a', async () => 'done');
  first.fail(new Error('no answer'));
  await expect(failing).rejects.toThrow('no answer');
  expect(await next).toBe('done');
});

test('who comes when one is over still waits for the others', async () => {
  const inTurn = turns();
  const [first, second] = [gate(), gate()];
  const begun: string[] = [];
  const one = inTurn('a', () => first.over);
  const two = inTurn('a', () => second.over);
  first.open();
  await one;
  await quiet();
  const three = inTurn('a', async () => void begun.push('three'));
  await quiet();
  expect(begun).toEqual([]);
  second.open();
  await Promise.all([two, three]);
  expect(begun).toEqual(['three']);
});
