/** Waiting a moment for the right to a call. */
import { expect, test } from 'vitest';
import { passSoon } from '../../shared/core/pass-soon.ts';
import type { Passed } from '../../shared/core/routing.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const PASS: Passed = { pass: { route: 0, end() {} } };

test('waits two seconds in all, however often it asks', async () => {
  const clock = virtualClock();
  let asked = 0;
  const passed = clock.until(passSoon(clock, async () => ({ waitMs: ++asked === 1 ? 1_500 : 501 })));
  expect(await passed).toEqual({ waitMs: 501 });
  expect([asked, clock.monotonicMs()]).toEqual([2, 1_500]);
  const soon = passSoon(clock, async () => (clock.monotonicMs() < 3_500 ? { waitMs: 2_000 } : PASS));
  expect(await clock.until(soon)).toBe(PASS);
});

test('who is told to stop meanwhile asks no more', async () => {
  const clock = virtualClock();
  const stop = new AbortController();
  let asked = 0;
  const passed = passSoon(clock, async () => (++asked === 1 ? { waitMs: 1_000 } : PASS), stop.signal);
  await clock.advance(500);
  stop.abort();
  expect(await passed).toEqual({ waitMs: 1_000 });
  expect(asked).toBe(1);
});
