/** `RateLimiter` in this process's memory, which is bounded: each instance counts for itself. No timers. */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/ports.ts';
import { type Bucket, type RateLimiter, takeFrom } from '../core/rate-limits.ts';

const BUCKETS_MOST = 100_000;
/** Each take adds one bucket at most, so that looking at two lets their number shrink. */
const LOOKED_AT = 2;

export type MemoryRateLimiter = RateLimiter & {
  /** How many buckets are remembered. */
  size(): number;
};

/** Beyond `bucketsMost`, the least recently used bucket is forgotten, and with it what was taken from it. */
export function memoryRateLimiter({
  clock,
  bucketsMost = BUCKETS_MOST,
}: {
  clock: Pick<Clock, 'monotonicMs'>;
  bucketsMost?: number;
}): MemoryRateLimiter {
  let remembered: LRUCache<string, { bucket: Bucket; fullAtMs: number }> | undefined;
  // Its arrays are made for the most that it may hold, which takes 20 ms: only who limits pays for them.
  const open = () => {
    remembered ??= new LRUCache({ max: bucketsMost });
    return remembered;
  };

  /** A bucket that is full again is as one that was never seen. The oldest come first, each waits for a while at most. */
  function forgetFull(buckets: ReturnType<typeof open>, nowMs: number): void {
    let looks = LOOKED_AT;
    for (const name of buckets.rkeys()) {
      const oldest = buckets.peek(name);
      if (looks-- === 0 || oldest === undefined || oldest.fullAtMs > nowMs) return;
      buckets.delete(name);
    }
  }

  return {
    async take(name, rule, cost) {
      const nowMs = Math.floor(clock.monotonicMs());
      const buckets = open();
      forgetFull(buckets, nowMs);
      const { bucket, taken } = takeFrom(buckets.get(name)?.bucket, nowMs, rule, cost);
      buckets.set(name, { bucket, fullAtMs: nowMs + taken.resetMs });
      return taken;
    },
    size: () => remembered?.size ?? 0,
  };
}
