/** A receiver that hangs takes some of the places for calls, never those of jobs, nor all of other receivers'. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tellingPlaces } from '../../shared/core/telling-places.ts';
import { virtualClock } from '../support/virtual-clock.ts';

function world(jobsAtOnce = 50) {
  const clock = virtualClock();
  const places = tellingPlaces({ clock, jobsAtOnce });
  /** What became of each; those that wait are let wait. */
  const taken = async (hosts: readonly string[]) => {
    const answers = hosts.map((host) => places.take(host, `of ${host}`));
    await clock.advance(2_001);
    return Promise.all(answers);
  };
  return { clock, places, taken };
}

const held = (answers: readonly unknown[]) => answers.filter(Boolean).length;

test('eight calls at once, four of one host; who finds no place goes within two seconds', async () => {
  const { taken } = world();
  expect(held(await taken(Array(200).fill('slow.example')))).toBe(4);
  expect(held(await taken(Array.from({ length: 50 }, (_, n) => `host-${n}`)))).toBe(4);
  expect(held(await taken(['another.example']))).toBe(0);
});

test('six of one tenant, however many names its hosts have', async () => {
  const { clock, places } = world();
  const hosts = Array.from({ length: 30 }, (_, n) => places.take(`host-${n}.example`, 'acme'));
  await clock.advance(2_001);
  expect(held(await Promise.all(hosts))).toBe(6);
  expect(held(await Promise.all([places.take('a.example', 'umbrella'), places.take('b.example', 'umbrella')]))).toBe(2);
});

test.each([
  [1, 1],
  [6, 1],
  [12, 2],
  [30, 5],
  [1_000, 8],
])('a process that runs %i jobs at once makes %i calls', async (jobsAtOnce, most) => {
  const { taken } = world(jobsAtOnce);
  expect(held(await taken(Array.from({ length: 40 }, (_, n) => `host-${n}`)))).toBe(most);
});

test('whoever waits has the place as soon as it is left', async () => {
  const { clock, places } = world();
  const four = await Promise.all(Array.from({ length: 4 }, () => places.take('quick.example', 'acme')));
  const fifth = places.take('quick.example', 'acme');
  await clock.advance(100);
  four[0]?.();
  expect(await clock.until(fifth)).toBeTypeOf('function');
});

test('eight wait, no more; nobody for a host whose last call was slow', async () => {
  const { clock, places } = world();
  const first = await Promise.all(Array.from({ length: 4 }, () => places.take('hangs.example', 'acme')));
  const waiting = Array.from({ length: 9 }, () => places.take('hangs.example', 'acme'));
  expect(await Promise.race([waiting[8], clock.advance(1)])).toBeUndefined();
  await clock.advance(15_000);
  expect(held(await Promise.all(waiting))).toBe(0);
  first[0]?.();
  const next = await places.take('hangs.example', 'acme');
  expect(next).toBeTypeOf('function');
  const startedMs = clock.monotonicMs();
  expect(await places.take('hangs.example', 'acme')).toBeUndefined();
  expect(clock.monotonicMs()).toBe(startedMs);
});

test('never more than there are, of all or of one host, whoever comes and goes', async () => {
  const step = fc.record({ host: fc.constantFrom('a', 'b', 'c', 'd'), forMs: fc.nat(20_000), pauseMs: fc.nat(500) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const { clock, places } = world();
      const calls = new Map<string, number>();
      const over = steps.map(async ({ host, forMs }, n) => {
        await new Promise<void>((resolve) =>
          clock.setTimer(
            resolve,
            steps.slice(0, n).reduce((ms, s) => ms + s.pauseMs, 0),
          ),
        );
        const leave = await places.take(host, `of ${host}`);
        if (!leave) return;
        calls.set(host, (calls.get(host) ?? 0) + 1);
        expect(calls.get(host)).toBeLessThanOrEqual(4);
        expect([...calls.values()].reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(8);
        await new Promise<void>((resolve) => clock.setTimer(resolve, forMs));
        calls.set(host, (calls.get(host) ?? 0) - 1);
        leave();
      });
      await clock.until(Promise.all(over));
      expect(
        held(
          await Promise.all(['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b'].map((host) => places.take(host, `of ${host}`))),
        ),
      ).toBe(8);
    }),
    { numRuns: 30 },
  );
});

test('of those that were put off the next is one for whose host, and tenant, there is a place', async () => {
  const { places } = world();
  const leave = await Promise.all(['a', 'a', 'a', 'a', 'b', 'b'].map((host) => places.take(host, 'acme')));
  places.putOff('a', { tenant: 'umbrella', id: '1' });
  places.putOff('c', { tenant: 'acme', id: '2' });
  expect(places.next()).toBeUndefined();
  places.putOff('c', { tenant: 'umbrella', id: '3' });
  expect(places.next()).toEqual({ tenant: 'umbrella', id: '3' });
  leave[4]?.();
  expect(places.next()).toEqual({ tenant: 'acme', id: '2' });
  leave[0]?.();
  expect(places.next()).toEqual({ tenant: 'umbrella', id: '1' });
  expect(places.next()).toBeUndefined();
});
