/** What a job costs by each way that it can go, as `npm run bench -- --only operations` shows it: pinned exactly. */
import { describe, expect, test } from 'vitest';
import {
  CANCELLED_PENDING,
  CANCELLED_PROCESSING,
  CHARGED,
  CHUNK,
  EVENT,
  FOLLOWER,
  FURTHER_ATTEMPT,
  IDLE_SWEEP,
  LEADING,
  LIMITED,
  LOST_WORKER,
  type Operations,
  PLAIN_JOB,
  POLL,
  RETRIED,
  sumOf,
} from '../../infra/operations.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { idleSweeps, jobPaths, readsOf, walked } from '../support/job-paths.ts';

type Pinned = { operations: Operations; told?: number; kept?: number };

const plus = (...more: (readonly [Operations, number])[]): Operations => sumOf([[PLAIN_JOB, 1], ...more]);
const batch = (jobs: number): Pinned => ({ operations: sumOf([[PLAIN_JOB, jobs]]), kept: jobs });

/** `kept`: documents that its time to live deletes, one where nothing is said. */
const PINNED: Record<string, Pinned> = {
  plain: { operations: PLAIN_JOB },
  'polled once': { operations: plus([POLL, 1]) },
  'polled 10 times': { operations: plus([POLL, 10]) },
  // Pending, processing, completed.
  'waited for (long poll)': { operations: PLAIN_JOB, told: 3 },
  'tried again by the same worker': { operations: plus([FURTHER_ATTEMPT, 1]) },
  'tried again after its worker was lost': { operations: plus([LOST_WORKER, 1]) },
  'failed, and made anew by /retry/': { operations: plus([PLAIN_JOB, 1], [RETRIED, 1]), kept: 2 },
  'cancelled while pending': { operations: CANCELLED_PENDING },
  // Its worker listens for cancels, each of which is a document of its own.
  'cancelled while processing': { operations: CANCELLED_PROCESSING, told: 1, kept: 2 },
  'in a batch of 1': batch(1),
  'in a batch of 10': batch(10),
  'in a batch of 100': batch(100),
  'with credits': { operations: plus([CHARGED, 1]) },
  'with a concurrency limit': { operations: plus([LIMITED, 1]) },
  'with a webhook': { operations: plus([EVENT, 1]) },
  // Who leads is a document of its own.
  'the first of equal jobs': { operations: plus([LEADING, 1]), kept: 2 },
  'a further one of equal jobs': { operations: FOLLOWER },
};
const FLUSH_MS = 250;
const SECONDS = 1;

describeOnEmulators('what a job costs', () => {
  const paths = jobPaths(SECONDS, [FLUSH_MS]);
  const streamed = paths.filter(({ environment }) => environment?.FLUSH_MS !== undefined);
  const others = paths.filter((path) => !streamed.includes(path));

  test('every way is pinned', () => {
    expect(others.map(({ name }) => name).sort()).toEqual(Object.keys(PINNED).sort());
    expect(streamed).toHaveLength(1);
  });

  describe.concurrent('by the way that it goes', () => {
    test.each(others)('$name', async (path) => {
      const { operations, told = 0, kept = 1 } = PINNED[path.name] ?? {};
      const counted = await walked(path, emulators());
      const { queryReads } = counted;
      expect(counted).toMatchObject({ operations, told, kept, deletes: 0 });
      // No query of these finds more than one document.
      expect(queryReads).toBe(operations?.queries);
    });

    test.each(streamed)('$name: each chunk is written once, and told to a reader once', async (path) => {
      const { operations, told, kept } = await walked(path, emulators());
      const chunks = kept - 1;
      // As often as the text is flushed, and what is left at its end. On a busy machine the text takes longer.
      expect(chunks).toBeGreaterThanOrEqual(2);
      expect(chunks).toBeLessThanOrEqual((10 * SECONDS * 1_000) / FLUSH_MS);
      expect(operations).toEqual(plus([CHUNK, chunks]));
      // Beside them the job: pending, processing, completed.
      expect(told).toBeLessThanOrEqual(chunks + 3);
      expect(told).toBeGreaterThanOrEqual(chunks);
    });

    test.each(idleSweeps([0, 1_000]))('$name', async (path) => {
      const counted = await walked(path, emulators());
      expect(counted.operations).toEqual(IDLE_SWEEP);
      expect(readsOf(counted)).toBe(1);
    });
  });

  test('in words', () => {
    expect(PLAIN_JOB).toEqual({ writes: 3, reads: 1, queries: 0, messages: 1 });
    expect(IDLE_SWEEP).toEqual({ writes: 0, reads: 0, queries: 1, messages: 0 });
  });
});
