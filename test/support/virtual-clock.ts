/** A `Clock` whose hands the test turns: timers run in order, and what they start may settle before the next one runs. */
import type { Clock } from '../../shared/core/ports.ts';

export type VirtualClock = Clock & {
  /** Lets this much time pass. */
  advance(ms: number): Promise<void>;
  /** Lets time pass, timer by timer, until the promise settles. Throws when no timer is left that could settle it. */
  until<T>(promise: Promise<T>): Promise<T>;
};

/** Hashes that are being made, on a thread of their own and in real time: no virtual time passes meanwhile. */
let hashing = 0;
const digest = crypto.subtle.digest.bind(crypto.subtle);
crypto.subtle.digest = (...values) => {
  hashing += 1;
  return digest(...values).finally(() => {
    hashing -= 1;
  });
};

export function virtualClock(startMs = 1_700_000_000_000): VirtualClock {
  let elapsedMs = 0;
  let serial = 0;
  const timers = new Map<number, { atMs: number; callback: () => void }>();

  async function settle(): Promise<void> {
    // Every chain of awaits over stores that answer at once is through by then.
    do await new Promise((resolve) => setImmediate(resolve));
    while (hashing > 0);
  }

  function next(): [number, { atMs: number; callback: () => void }] | undefined {
    let first: [number, { atMs: number; callback: () => void }] | undefined;
    // In the order in which they were set, so that the earliest of one instant comes first.
    for (const timer of timers) if (!first || timer[1].atMs < first[1].atMs) first = timer;
    return first;
  }

  async function runNext(): Promise<boolean> {
    const first = next();
    if (!first) return false;
    const [id, { atMs, callback }] = first;
    timers.delete(id);
    elapsedMs = Math.max(elapsedMs, atMs);
    callback();
    await settle();
    return true;
  }

  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    setTimer(callback, delayMs) {
      const id = ++serial;
      timers.set(id, { atMs: elapsedMs + Math.max(0, delayMs), callback });
      return () => timers.delete(id);
    },
    async advance(ms) {
      const untilMs = elapsedMs + ms;
      await settle();
      for (let first = next(); first && first[1].atMs <= untilMs; first = next()) await runNext();
      elapsedMs = untilMs;
    },
    async until(promise) {
      let settled = false;
      const done = promise.finally(() => {
        settled = true;
      });
      done.catch(() => {});
      await settle();
      // Hashing settles on a thread of its own, in real time.
      for (let waits = 0; !settled; ) {
        if (await runNext()) continue;
        if (++waits > 100) throw new Error('nothing is left that could settle this');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return done;
    },
  };
}
