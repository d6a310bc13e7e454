/** Listeners on lists in SQLite: how often they make it look, and that those of others cost nothing. */
import { expect, test } from 'vitest';
import { sqliteListWatchers } from '../../shared/adapters/sqlite-list-watchers.ts';
import type { StoredJob } from '../../shared/core/ports.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const ADA = { tenant: 't', user: 'ada' };

/** A store in which a query takes so long. */
function watchedStore(queryMs = 0) {
  const clock = virtualClock();
  let spentMs = 0;
  let queries = 0;
  const list = (): StoredJob[] => {
    queries += 1;
    spentMs += queryMs;
    return [];
  };
  // The store is synchronous: the hands move while it looks.
  const busy = { ...clock, monotonicMs: () => clock.monotonicMs() + spentMs };
  const watchers = sqliteListWatchers({ list, clock: busy });
  return { clock, ...watchers, queries: () => queries };
}

test('a write of which nobody wants to hear costs nothing, nor does one of another tenant or user', async () => {
  const { clock, changed, watch, queries } = watchedStore();
  changed(ADA);
  await clock.advance(1_000);
  expect(queries()).toBe(0);
  watch({ ...ADA, limit: 5 }, () => {});
  watch({ tenant: 't', limit: 5 }, () => {});
  await clock.advance(1_000);
  expect(queries()).toBe(2);
  changed({ tenant: 'other', user: 'ada' });
  await clock.advance(1_000);
  expect(queries()).toBe(2);
  changed({ tenant: 't', user: 'bob' });
  await clock.advance(1_000);
  expect(queries()).toBe(3);
  changed();
  await clock.advance(1_000);
  expect(queries()).toBe(5);
});

test('the first write of a burst is told of at once, the others every 50 ms, the last one always', async () => {
  const { clock, changed, watch, queries } = watchedStore();
  const heardMs: number[] = [];
  watch({ ...ADA, limit: 5 }, () => heardMs.push(clock.monotonicMs()));
  await clock.advance(1_000);
  for (let n = 0; n < 120; n++) {
    changed(ADA);
    await clock.advance(1);
  }
  await clock.advance(1_000);
  expect(heardMs).toEqual([0, 1_000, 1_050, 1_100, 1_150]);
  expect(queries()).toBe(5);
});

test('where queries take long they take a tenth of the time, not more', async () => {
  const { clock, changed, watch, queries } = watchedStore(30);
  watch({ ...ADA, limit: 5 }, () => {});
  for (let n = 0; n < 300; n++) {
    changed(ADA);
    await clock.advance(10);
  }
  expect(queries()).toBeGreaterThan(5);
  expect(queries()).toBeLessThanOrEqual(3_000 / 300 + 1);
});

test('one that throws takes nothing from the others', async () => {
  const { clock, watch } = watchedStore();
  let heard = 0;
  watch({ ...ADA, limit: 5 }, () => {
    throw new Error('broken');
  });
  watch({ ...ADA, limit: 5 }, () => heard++);
  await clock.advance(0);
  expect(heard).toBe(1);
});
