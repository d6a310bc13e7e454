/**
 * A process of the simulation: it can be killed (its calls are never answered, its timers never fire) or paused as by
 * SIGSTOP (all of that comes later, at once). What it asked of others before goes on happening.
 */
import type { Clock } from '../../shared/core/ports.ts';

export type SimulatedProcess = {
  name: string;
  /** The machine's clocks, as this process sees them. */
  clock: Clock;
  /** A port as this process sees it. */
  within<P extends object>(port: P): P;
  kill(): void;
  pause(): void;
  resume(): void;
  isAlive(): boolean;
  isPaused(): boolean;
  /** Resolves when it was killed. */
  died: Promise<void>;
};

/** `skewMs` is by how much its wall clock is wrong. */
export function simulatedProcess(name: string, machine: Clock, skewMs = 0): SimulatedProcess {
  let isAlive = true;
  let isPaused = false;
  let parked: (() => void)[] = [];
  let tellDied = () => {};
  const died = new Promise<void>((resolve) => {
    tellDied = resolve;
  });

  /** Now, or when the process goes on, or never. */
  function turn(): Promise<void> | undefined {
    if (!isAlive) return new Promise(() => {});
    if (!isPaused) return undefined;
    return new Promise<void>((resolve) => void parked.push(resolve)).then(turn);
  }

  async function call<T>(real: () => Promise<T>): Promise<T> {
    await turn();
    const [settled] = await Promise.allSettled([real()]);
    // A dead process gets neither answers nor errors.
    await turn();
    if (settled.status === 'fulfilled') return settled.value;
    throw settled.reason;
  }

  async function* stream<T>(real: () => AsyncIterable<T>): AsyncIterable<T> {
    // What runs is not paused: a call that it begins is on its way.
    for await (const part of real()) {
      await turn();
      yield part;
    }
    await turn();
  }

  /** What a process that is dead or paused is told is lost. */
  function listening(callback: (told: unknown) => void): (told: unknown) => void {
    return (told) => {
      if (isAlive && !isPaused) callback(told);
    };
  }

  return {
    name,
    died,
    clock: {
      nowMs: () => machine.nowMs() + skewMs,
      monotonicMs: () => machine.monotonicMs(),
      setTimer: (callback, delayMs) =>
        machine.setTimer(() => {
          if (isPaused) parked.push(callback);
          else if (isAlive) callback();
        }, delayMs),
    },
    within<P extends object>(port: P): P {
      const methods = Object.entries(port).map(([method, real]: [string, (...values: unknown[]) => unknown]) => [
        method,
        (...values: unknown[]) => {
          const invoke = () => real(...values);
          if (method === 'generate') return stream(invoke as () => AsyncIterable<unknown>);
          // A listener's callback comes last.
          if (method.startsWith('watch')) {
            return real(...values.slice(0, -1), listening(values.at(-1) as (told: unknown) => void));
          }
          return call(invoke as () => Promise<unknown>);
        },
      ]);
      return Object.fromEntries(methods) as P;
    },
    kill() {
      isAlive = false;
      isPaused = false;
      parked = [];
      tellDied();
    },
    pause() {
      isPaused = isAlive;
    },
    resume() {
      isPaused = false;
      const waiting = parked;
      parked = [];
      // One after the other, each with what it leads to: so does Node with timers that are late.
      for (const go of waiting) machine.setTimer(() => isAlive && go(), 0);
    },
    isAlive: () => isAlive,
    isPaused: () => isPaused,
  };
}
