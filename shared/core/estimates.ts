/**
 * How long jobs of a type on a model usually take, learned from those that completed. Each process keeps its own
 * knowledge and shares it through the store when it has changed by much, so that no document is hot.
 */
import { describeError } from './errors.ts';
import type { Job } from './job.ts';
import type { Clock, Estimate, EstimateKey, EstimateStore, Log } from './ports.ts';
import { within } from './within.ts';

export type Estimates = {
  /** What is known, asked from the store now and then; `undefined` when nothing is, or the store takes long. Never throws. */
  usualMs(key: EstimateKey): Promise<number | undefined>;
  /** One more job completed. Resolves when what others must know of it is stored, or soon. Never throws. */
  learn(key: EstimateKey, tookMs: number): Promise<void>;
};

/** What a job's duration is an example of: an answer in the background comes when its provider has time. */
export function estimateKeyOf({ tenant, jobType, model, background }: EstimatedJob): EstimateKey {
  return { tenant, jobType, modelId: background ? `${model.id}-background` : model.id };
}
type EstimatedJob = Pick<Job, 'tenant' | 'jobType' | 'model' | 'background'>;

export type EstimatesOptions = { estimateStore: EstimateStore; clock: Clock; log: Log };

type Known = {
  /** What this process believes. */
  estimate: Estimate | undefined;
  /** What the store holds, as far as we know; only after it answered once, for it may know more than we do. */
  shared: Estimate | undefined;
  hasAnswered: boolean;
  asking: Promise<void> | undefined;
  freshUntilMs: number;
  /** Not before this instant others are told again. */
  tellFromMs: number;
};

const FRESH_MS = 600_000;
/** Where nothing is known, or the store gave no answer. */
const FRESH_WITHOUT_MS = 30_000;
/** A submit does not wait longer for a guess, … */
const ASK_MS = 250;
/** … nor a worker with a job that is over. */
const LEARN_MS = 1_000;
/** The newest job counts for this much, the first ones for more. */
const WEIGHT_LEAST = 0.2;
/** Others are told when it has changed by this factor, and by more than anybody would notice, … */
const TELL_FACTOR = 1.2;
const TELL_LEAST_MS = 500;
/** … and not more often, whatever the jobs are like: one document for all processes bears a write a second. */
const TELL_PAUSE_MS = 60_000;
const KEYS_MOST = 1_000;

export function estimates({ estimateStore: store, clock, log }: EstimatesOptions): Estimates {
  const all = new Map<string, Known>();

  function knownOf({ tenant, jobType, modelId }: EstimateKey): Known {
    const name = JSON.stringify([tenant, jobType, modelId]);
    const found = all.get(name);
    if (found) return found;
    if (all.size >= KEYS_MOST) all.clear();
    const known: Known = {
      ...{ estimate: undefined, shared: undefined, hasAnswered: false, asking: undefined },
      ...{ freshUntilMs: Number.NEGATIVE_INFINITY, tellFromMs: Number.NEGATIVE_INFINITY },
    };
    all.set(name, known);
    return known;
  }

  /** Asks the store, once for all who want to know. */
  function refresh(key: EstimateKey, known: Known): Promise<void> {
    known.asking ??= ask(key, known).finally(() => {
      known.asking = undefined;
      known.freshUntilMs = clock.monotonicMs() + (known.shared ? FRESH_MS : FRESH_WITHOUT_MS);
    });
    return known.asking;
  }

  async function ask(key: EstimateKey, known: Known): Promise<void> {
    try {
      known.shared = await store.get(key);
      known.hasAnswered = true;
      // Ours, when it says the same, comes from more jobs.
      const isSame = known.estimate !== undefined && isNear(known.estimate, known.shared);
      if (known.shared && !isSame) known.estimate = known.shared;
    } catch (error) {
      log('debug', 'estimate-unread', { error: describeError(error) });
    }
  }

  async function tell(key: EstimateKey, known: Known, estimate: Estimate): Promise<void> {
    const before = known.shared;
    known.shared = estimate;
    known.tellFromMs = clock.monotonicMs() + TELL_PAUSE_MS;
    try {
      await store.put(key, estimate);
    } catch (error) {
      known.shared = before;
      log('debug', 'estimate-unwritten', { error: describeError(error) });
    }
  }

  return {
    async usualMs(key) {
      const known = knownOf(key);
      if (clock.monotonicMs() >= known.freshUntilMs) {
        const asking = refresh(key, known);
        // What was known before is good enough for one more.
        if (!known.estimate) await within(clock, ASK_MS, asking);
      }
      return known.estimate?.usualMs;
    },

    async learn(key, tookMs) {
      const known = knownOf(key);
      if (clock.monotonicMs() >= known.freshUntilMs) await within(clock, LEARN_MS, refresh(key, known));
      const estimate = blend(known.estimate, Math.max(1, tookMs));
      known.estimate = estimate;
      const isDue = known.hasAnswered && clock.monotonicMs() >= known.tellFromMs;
      if (isDue && !isNear(estimate, known.shared)) await within(clock, LEARN_MS, tell(key, known, estimate));
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
  if (!shared) return false;
  const [less, more] = [Math.min(usualMs, shared.usualMs), Math.max(usualMs, shared.usualMs)];
  return more - less < TELL_LEAST_MS || more < less * TELL_FACTOR;
}
