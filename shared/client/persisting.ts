/**
 * The one loop of this package: it asks until there is an answer for good, the time is up, or the caller's signal fires, and
 * never sooner than the server wants to be asked.
 */
import type { LlmJobsError } from './errors.ts';
import { isPassing, onAbort, orStopped, type Pace } from './requests.ts';
import type { VisibilitySource } from './visibility.ts';

/** What one try brought: the end, or when the next one may begin, counted from now, where its answer says that finer. */
export type Tried<T> = { done: T } | { againAfterMs: number | undefined };
/** Tries once, and tells of each answer's hint when its headers are there. */
export type Try<T> = (signal: AbortSignal, pace: Pace) => Promise<Tried<T>>;

export type Persistence = {
  /** Ends it, with the signal's own reason. Nothing is sent after that. */
  signal?: AbortSignal | undefined;
  /** How long it may take in all; `Infinity`: as long as it takes. */
  timeoutMs: number;
  /** While nobody is there a try that is under way is broken off, and none begins; without it nothing is looked at. */
  visibility?: VisibilitySource | undefined;
  /** The first try does not begin sooner. */
  firstAfterMs?: number | undefined;
  /** Does it end with the error at hand when the server wants to be asked again too late? */
  endsEarly?: boolean;
  /** Is it tried once only? */
  isOnce?: boolean;
  /** The error when the time is up; the last one is what was heard last, if it was one that may pass. */
  timedOut: (last: LlmJobsError | undefined) => LlmJobsError;
};

/** Where the server says nothing, after how long it is asked again. */
const PAUSE_MS = 1_000;
/** Between the beginnings of two tries, whatever anybody says. */
const LEAST_GAP_MS = 250;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MOST_MS = 15_000;
/** What `setTimeout` can count to. */
const TIMER_MOST_MS = 2 ** 31 - 1;

/** Tries until it is done; an error that cannot pass by itself ends it, too. */
export async function persist<T>(
  tryOnce: Try<T>,
  { signal, timeoutMs, visibility, firstAfterMs = 0, endsEarly, isOnce, timedOut }: Persistence,
): Promise<T> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  let last: LlmJobsError | undefined;
  const timeUp = () => ending.abort(timedOut(last));
  const timer = timeoutMs > TIMER_MOST_MS ? undefined : setTimeout(timeUp, timeoutMs);
  const unheard = onAbort(signal, () => ending.abort(signal?.reason));
  const stop = ending.signal;
  const untilMs = performance.now() + timeoutMs;
  let failures = 0;
  let againAtMs = performance.now() + firstAfterMs;
  const pace: Pace = (afterMs) => {
    againAtMs = performance.now() + afterMs;
  };
  try {
    for (;;) {
      await sleep(againAtMs - performance.now(), stop);
      await untilActive(visibility, stop);
      const away = awayDuring(visibility);
      pace(LEAST_GAP_MS);
      const leastAtMs = againAtMs;
      try {
        const tried = await tryOnce(AbortSignal.any([stop, away.signal]), pace);
        stop.throwIfAborted();
        if ('done' in tried) return tried.done;
        [failures, last] = [0, undefined];
        if (tried.againAfterMs !== undefined) pace(tried.againAfterMs);
        else if (againAtMs <= performance.now()) pace(PAUSE_MS);
      } catch (error) {
        stop.throwIfAborted();
        if (!away.signal.aborted) {
          if (isOnce || !isPassing(error)) throw error;
          last = error;
          againAtMs = Math.max(againAtMs, performance.now() + Math.max(error.retryAfterMs ?? 0, backoffMs(failures)));
          failures += 1;
          if (endsEarly && againAtMs > untilMs) throw error;
        }
      } finally {
        away.stop();
      }
      againAtMs = Math.max(againAtMs, leastAtMs);
    }
  } finally {
    clearTimeout(timer);
    unheard();
  }
}

/** Doubled from failure to failure, and spread over the upper half, so that clients that failed together come back apart. */
function backoffMs(failures: number): number {
  return Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** failures) * (0.5 + Math.random() / 2);
}

/** A signal that fires when nobody is there any more. */
function awayDuring(visibility: VisibilitySource | undefined): { signal: AbortSignal; stop(): void } {
  const away = new AbortController();
  const stop = visibility?.subscribe(() => {
    if (!visibility.isActive()) away.abort();
  });
  return { signal: away.signal, stop: () => stop?.() };
}

async function untilActive(visibility: VisibilitySource | undefined, stop: AbortSignal): Promise<void> {
  while (visibility && !visibility.isActive()) {
    let unsubscribe = () => {};
    await orStopped<void>(stop, (resolve) => {
      unsubscribe = visibility.subscribe(resolve);
    }).finally(() => unsubscribe());
  }
}

async function sleep(ms: number, stop: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  await orStopped<void>(stop, (resolve) => {
    timer = setTimeout(resolve, Math.min(ms, TIMER_MOST_MS));
  }).finally(() => clearTimeout(timer));
}
