/**
 * How long jobs of a type on a model usually take, learned from those that completed. Each process keeps its own
 * knowledge and shares it through the store when it has changed by much, so that no document is hot.
 */
import { type Clock, type Estimate, type EstimateKey, type EstimateStore, type Log, sleep } from './ports.ts';

export type Estimates = {
  /** What is known, asked from the store now and then; `undefined` when nothing is, or the store takes long. Never throws. */
  usualMs(key: EstimateKey): Promise<number | undefined>;
  /** One more job completed. Resolves when what others must know of it is stored, or cannot be. Never throws. */
  learn(key: EstimateKey, tookMs: number): Promise<void>;
};

export type EstimatesOptions = { estimateStore: EstimateStore; clock: Clock; log: Log };

/** `shared` is what the store holds, as far as we know. */
type Known = { estimate: Estimate | undefined; shared: Estimate | undefined; askedMs: number };

const FRESH_MS = 600_000;
/** A submit does not wait longer for a guess. */
const ASK_MS = 250;
/** The newest job counts for this much, the first ones for more. */
const WEIGHT_LEAST = 0.2;
/** Others are told when it has changed by this factor. */
const TELL_FACTOR = 1.2;
const KEYS_MOST = 1_000;

export function estimates({ estimateStore: store, clock, log }: EstimatesOptions): Estimates {
  const known = new Map<string, Known>();

  async function recall(key: EstimateKey): Promise<Known> {
    const name = JSON.stringify([key.tenant, key.jobType, key.modelId]);
    const found = known.get(name);
    if (found && clock.monotonicMs() - found.askedMs < FRESH_MS) return found;
    const shared = await store.get(key).catch((error: unknown) => {
      log('debug', 'estimate-unread', { error: String(error) });
      return found?.shared;
    });
    const now: Known = { estimate: shared ?? found?.estimate, shared, askedMs: clock.monotonicMs() };
    if (known.size >= KEYS_MOST) known.clear();
    known.set(name, now);
    return now;
  }

  return {
    async usualMs(key) {
      const asked = new AbortController();
      const answer = await Promise.race([recall(key), sleep(clock, ASK_MS, asked.signal)]);
      asked.abort();
      return answer?.estimate?.usualMs;
    },

    async learn(key, tookMs) {
      const now = await recall(key);
      now.estimate = blend(now.estimate, Math.max(1, tookMs));
      if (isNear(now.estimate, now.shared)) return;
      now.shared = now.estimate;
      await store.put(key, now.estimate).catch((error: unknown) => {
        log('debug', 'estimate-unwritten', { error: String(error) });
      });
    },
  };
}

/** A mean of logarithms: one job that took ten times as long must not count ten times. */
function blend(before: Estimate | undefined, tookMs: number): Estimate {
  if (!before) return { usualMs: Math.round(tookMs), jobs: 1 };
  const weight = Math.max(WEIGHT_LEAST, 1 / (before.jobs + 1));
  const usualMs = Math.round(before.usualMs ** (1 - weight) * tookMs ** weight);
  return { usualMs, jobs: before.jobs + 1 };
}

function isNear({ usualMs }: Estimate, shared: Estimate | undefined): boolean {
  return shared !== undefined && Math.max(usualMs / shared.usualMs, shared.usualMs / usualMs) < TELL_FACTOR;
}
