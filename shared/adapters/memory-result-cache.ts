/** `ResultCache` in this process's memory, which is bounded: it serves who is in the same process. No timers. */
import { LRUCache } from 'lru-cache';
import { jobName } from '../core/job.ts';
import type { Clock } from '../core/ports.ts';
import { CACHED_MS, type ResultCache } from '../core/result-cache.ts';

const RESULTS_MOST = 1_000;
const BYTES_MOST = 16 * 1_024 * 1_024;

export type MemoryResultCacheOptions = {
  clock: Pick<Clock, 'monotonicMs'>;
  resultsMost?: number;
  bytesMost?: number;
};

/** Beyond its bounds, the result that was least recently asked for is forgotten. */
export function memoryResultCache(options: MemoryResultCacheOptions): ResultCache {
  const { clock, resultsMost = RESULTS_MOST, bytesMost = BYTES_MOST } = options;
  const timed = {
    max: resultsMost,
    // To it, an instant of 0 is none.
    perf: { now: () => clock.monotonicMs() + 1 },
    // It asks the clock each time, and sets no timer.
    ttlResolution: 0,
  };
  const texts = new LRUCache<string, string>({
    ...timed,
    maxSize: bytesMost,
    // As the engine holds it at most.
    sizeCalculation: (text) => Math.max(1, text.length * 2),
  });
  const removed = new LRUCache<string, true>({ ...timed, ttl: CACHED_MS });
  return {
    async put(key, text, keepMs) {
      if (!removed.has(jobName(key))) texts.set(jobName(key), text, { ttl: Math.ceil(keepMs) });
    },
    async get(key) {
      return texts.get(jobName(key));
    },
    async remove(key) {
      removed.set(jobName(key), true);
      texts.delete(jobName(key));
    },
  };
}
