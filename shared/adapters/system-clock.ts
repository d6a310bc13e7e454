/** `Clock`s on the machine's own clocks. */
import type { Clock } from '../core/ports.ts';

/**
 * A clock whose wall time only advances, from the process's start on. Where the store's time is the process's, a lease
 * must not end because somebody set the clock.
 */
export function steadyClock(): Clock {
  const clock = systemClock();
  const startMs = clock.nowMs() - clock.monotonicMs();
  return { ...clock, nowMs: () => Math.floor(startMs + clock.monotonicMs()) };
}

/** The clocks as they are. */
export function systemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer(callback, delayMs) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
}
