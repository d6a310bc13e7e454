/** Waiting for something to happen, without missing what happens between a look and the wait. */
import type { Clock } from './ports.ts';

export type News = {
  /** How often there was some. */
  count(): number;
  tell(): void;
  /** Resolves when there was news since then, after a delay, or when the signal is aborted. */
  changed(since: number, delayMs: number, signal?: AbortSignal): Promise<void>;
};

export function news(clock: Clock): News {
  const waiting = new Set<() => void>();
  let count = 0;
  return {
    count: () => count,
    tell() {
      count += 1;
      for (const wake of [...waiting]) wake();
    },
    changed: (since, delayMs, signal) =>
      new Promise((resolve) => {
        const wake = () => {
          cancel();
          waiting.delete(wake);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const cancel = clock.setTimer(wake, delayMs);
        waiting.add(wake);
        signal?.addEventListener('abort', wake);
        if (signal?.aborted || count !== since) wake();
      }),
  };
}
