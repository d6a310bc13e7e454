/** Waiting for work that may take long, but not for longer than it is worth. */
import { ServiceError } from './errors.ts';
import type { Clock } from './ports.ts';

/** A signal that is aborted after so long, unless it is ended before. */
export function timeLimit(clock: Clock, limitMs: number): { signal: AbortSignal; end: () => void } {
  const over = new AbortController();
  const end = clock.setTimer(() => over.abort(new ServiceError('timeout', 'It took too long.')), limitMs);
  return { signal: over.signal, end };
}

/** What the work answers, or `undefined` when it takes longer; it goes on all the same, so it must not throw. */
export async function within<T>(clock: Clock, waitMs: number, work: Promise<T>): Promise<T | undefined> {
  let stop = () => {};
  const over = new Promise<undefined>((resolve) => {
    stop = clock.setTimer(() => resolve(undefined), waitMs);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    stop();
  }
}

/** A signal that is aborted some time after another one, for its reason, unless it is ended before. */
export function timeAfter(
  clock: Clock,
  stop: AbortSignal,
  patienceMs: number,
): { signal: AbortSignal; end: () => void } {
  const over = new AbortController();
  let stopTimer = () => {};
  const begin = () => {
    stopTimer = clock.setTimer(() => over.abort(stop.reason), patienceMs);
  };
  stop.addEventListener('abort', begin);
  return {
    signal: over.signal,
    end() {
      stop.removeEventListener('abort', begin);
      stopTimer();
    },
  };
}
