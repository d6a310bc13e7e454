/** One process of a world that can stop: dead for good, or paused for a while, with or without its clock. */
import type { Clock } from '../../shared/core/ports.ts';

export type Mortal = {
  clock: Clock;
  /** The port as this process sees it: nothing answers the dead. */
  around<P extends object>(port: P): P;
  /** Ends at once, as by SIGKILL: its timers never fire, its calls are never answered. */
  die(): void;
  /** Stops its timers, as a blocked event loop or a frozen machine does; what is due fires when it goes on. */
  pause(): void;
  /** Goes on. `clockStood`: the machine was frozen, its monotonic clock, too. */
  resume(options?: { clockStood?: boolean }): void;
};

type Timer = { callback: () => void; atMs: number; cancel: () => void };
type Method = (...values: unknown[]) => unknown;

/** `skewMs` is how far its wall clock is from everybody else's. */
export function mortal(base: Clock, skewMs = 0): Mortal {
  const timers = new Set<Timer>();
  let isDead = false;
  let pausedAtMs: number | undefined;
  let lostMs = 0;
  const monotonicMs = () => base.monotonicMs() - lostMs;

  function start(timer: Timer): void {
    timer.cancel = base.setTimer(() => {
      timers.delete(timer);
      timer.callback();
    }, timer.atMs - monotonicMs());
  }

  const clock: Clock = {
    nowMs: () => base.nowMs() + skewMs,
    monotonicMs,
    setTimer(callback, delayMs) {
      if (isDead) return () => {};
      const timer: Timer = { callback, atMs: monotonicMs() + Math.max(0, delayMs), cancel: () => {} };
      timers.add(timer);
      if (pausedAtMs === undefined) start(timer);
      return () => {
        timers.delete(timer);
        timer.cancel();
      };
    },
  };

  return {
    clock,

    around<P extends object>(port: P): P {
      const wrap = (name: string, real: Method): Method => {
        if (name.startsWith('watch')) {
          // Through a timer, so that a process that stands still hears of nothing.
          const hear = (callback: Method) => (told: unknown) => void clock.setTimer(() => void callback(told), 0);
          return (...values) => real.call(port, ...values.slice(0, -1), hear(values.at(-1) as Method));
        }
        return async (...values) => {
          if (isDead) return never();
          const answer = await real.apply(port, values);
          return isDead ? never() : answer;
        };
      };
      const methods = Object.entries(port).filter(([, value]) => typeof value === 'function') as [string, Method][];
      return Object.fromEntries(methods.map(([name, real]) => [name, wrap(name, real)])) as P;
    },

    die() {
      isDead = true;
      for (const timer of timers) timer.cancel();
      timers.clear();
    },

    pause() {
      pausedAtMs = base.monotonicMs();
      for (const timer of timers) timer.cancel();
    },

    resume({ clockStood = false } = {}) {
      if (clockStood) lostMs += base.monotonicMs() - (pausedAtMs ?? 0);
      pausedAtMs = undefined;
      for (const timer of [...timers].sort((left, right) => left.atMs - right.atMs)) start(timer);
    },
  };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
