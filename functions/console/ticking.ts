/** The time, for what says how long ago something was: one timer for all, and none while nobody shows it. */
import { useSyncExternalStore } from 'react';

const TICK_MS = 1_000;

let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const hearers = new Set<() => void>();

function tick(): void {
  nowMs = Date.now();
  for (const each of hearers) each();
}

function subscribe(hear: () => void): () => void {
  hearers.add(hear);
  if (!timer) {
    timer = setInterval(tick, TICK_MS);
    tick();
  }
  return () => {
    hearers.delete(hear);
    if (hearers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

const never = () => () => {};

/** Milliseconds since the epoch, anew each second; what is not on the screen need not hear of it. */
export function useNow(isShown = true): number {
  return useSyncExternalStore(isShown ? subscribe : never, () => nowMs);
}
