/** Many jobs in one request: each is taken in or refused on its own, and what is wrong with one spoils nothing. */
import type { Principal } from './access.ts';
import { isServiceError, ServiceError } from './errors.ts';
import { derivedId } from './ids.ts';
import { isTerminal, JOB_STATES, type JobState } from './job.ts';
import { ringDoorbell } from './ring.ts';
import type { Submission, Submitted, Submitting, SubmittingOptions } from './submitting.ts';

/** A submission, or why it is none. */
export type BatchItem = ({ submission: Submission } | { refused: ServiceError }) & {
  /** What makes a repeat of it the same job: its own id or key; `undefined` when it has none. */
  name: string | undefined;
};

export type Batch = {
  /** What makes a repeat of the whole the same batch, and each item without a name the same job. */
  key: string | undefined;
  items: readonly BatchItem[];
};

/** What became of an item. */
export type BatchOutcome = Submitted | { refused: ServiceError };

export type Batching = {
  /**
   * Submits every item, and answers what became of each, in their order. Never throws for one of them. The id of the
   * batch is the same for a repeat under the same key, or of the same named items; of jobs that all were there before it
   * is theirs.
   */
  submitBatch(principal: Principal, batch: Batch): Promise<{ batchId: string; outcomes: BatchOutcome[] }>;
};

/** So many items are under way at once: what a store answers side by side without growing slow. */
const AT_ONCE = 40;
/** A store that gave no answer at all for so long gives none to those that are left: nobody waits for a second round. */
const SILENCE_MS = 5_000;

export function batching(options: SubmittingOptions, { submit }: Pick<Submitting, 'submit'>): Batching {
  const { newId, log, clock } = options;

  return {
    async submitBatch(principal, { key, items }) {
      const batchId = await batchIdOf(principal, { key, items }, newId);
      const outcomes: BatchOutcome[] = [];
      const rings: Promise<void>[] = [];
      const turns = new Map<string, Promise<unknown>>();
      let unanswered = 0;
      let answeredMs = clock.monotonicMs();
      const isSilent = () =>
        unanswered >= AT_ONCE || (unanswered > 0 && clock.monotonicMs() - answeredMs >= SILENCE_MS);

      async function take(item: BatchItem, index: number): Promise<BatchOutcome> {
        if ('refused' in item) return { refused: item.refused };
        if (isSilent()) return { refused: notTried() };
        const batchItem = key === undefined ? undefined : { key, index };
        try {
          const submission = { ...item.submission, batchId, batchItem, ring: false };
          const submitted = await submit(principal, submission);
          unanswered = 0;
          answeredMs = clock.monotonicMs();
          // A repeat of a job that nobody claimed yet may be one whose doorbell was never rung.
          if (submitted.job.state === 'pending') rings.push(ringDoorbell(options, submitted.job));
          return submitted;
        } catch (error) {
          const refused = asServiceError(error);
          if (refused.code === 'store_unavailable') unanswered += 1;
          if (isFault(refused)) log('error', 'batch-item-failed', { batch_id: batchId, index, code: refused.code });
          return { refused };
        }
      }

      /** Of two items with one name the first comes first, whatever the store would make of them. */
      async function inTurn(item: BatchItem, index: number): Promise<void> {
        const before = item.name === undefined ? undefined : turns.get(item.name);
        const taken = (before ?? Promise.resolve()).then(() => take(item, index));
        if (item.name !== undefined) turns.set(item.name, taken);
        outcomes[index] = await taken;
      }

      const waiting = items.entries();
      const lanes = Array.from({ length: AT_ONCE }, async () => {
        for (const [index, item] of waiting) await inTurn(item, index);
      });
      await Promise.all(lanes);
      await Promise.all(rings);
      return { batchId: heldBy(outcomes) ?? batchId, outcomes };
    },
  };
}

/** The batch of jobs that all were there before, in another order or among others. */
function heldBy(outcomes: readonly BatchOutcome[]): string | undefined {
  const accepted = outcomes.flatMap((outcome) => ('refused' in outcome ? [] : outcome));
  if (!accepted.every(({ replayed }) => replayed)) return undefined;
  return accepted.find(({ job }) => job.batchId !== undefined)?.job.batchId;
}

async function batchIdOf({ tenant, user }: Principal, { key, items }: Batch, newId: () => string): Promise<string> {
  if (key !== undefined) return derivedId('batch', tenant, user, key);
  const names = items.flatMap(({ name }) => name ?? []);
  return names.length === items.length ? derivedId('batch-of', tenant, user, ...names) : newId();
}

function asServiceError(error: unknown): ServiceError {
  if (isServiceError(error)) return error;
  return new ServiceError('internal_error', 'Something broke on our side.', { cause: error });
}

function isFault({ code }: ServiceError): boolean {
  return code === 'internal_error' || code === 'store_unavailable';
}

function notTried(): ServiceError {
  const sentence = 'The store gave no answer for other jobs of this batch; this one was not tried. Repeat the batch.';
  return new ServiceError('store_unavailable', sentence, { retryAfterMs: 1_000 });
}

/** How far a batch is. */
export type BatchProgress = {
  total: number;
  /** The share that is over; 100 only when all are. */
  percent: number;
  isComplete: boolean;
  /** How long a client does well to wait before it asks again; `undefined` when nothing will change any more. */
  pollAfterMs: number | undefined;
};

const POLL_LEAST_MS = 1_000;
const POLL_MOST_MS = 5_000;
/** The more are left, the longer until that says something new. */
const POLL_PER_JOB_MS = 20;

/** What the counts of a batch's jobs say. Pure. */
export function batchProgress(counts: Record<JobState, number>): BatchProgress {
  const sum = (states: readonly JobState[]) => states.reduce((total, state) => total + counts[state], 0);
  const total = sum(JOB_STATES);
  const over = sum(JOB_STATES.filter(isTerminal));
  const left = total - over;
  return {
    total,
    percent: total === 0 ? 0 : Math.floor((100 * over) / total),
    isComplete: left === 0,
    pollAfterMs: left === 0 ? undefined : Math.min(POLL_LEAST_MS + left * POLL_PER_JOB_MS, POLL_MOST_MS),
  };
}
