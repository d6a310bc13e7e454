/** What every `JobQueue` and its delivery must do: at least once, again after a refusal, aside in the end. */
import { describe, expect, test } from 'vitest';
import type { JobKey } from '../../shared/core/job.ts';
import type { JobQueue } from '../../shared/core/ports.ts';

/** Takes a delivery; `true` acknowledges it. */
export type Take = (key: JobKey) => Promise<boolean>;

export type QueueUnderTest = {
  queue: JobQueue;
  /** Starts delivering, several at a time. */
  consume(take: Take): Promise<void>;
  /** Ends the process that delivers and starts another on the same queue, without consuming yet. */
  restart(): Promise<void>;
  /** The doorbells that were set aside, after `DELIVERIES_MOST` refusals. */
  deadLetters(): Promise<JobKey[]>;
  close(): Promise<void>;
};

/** Pub/Sub allows no fewer. */
export const DELIVERIES_MOST = 5;

export function jobQueueContract(name: string, open: () => Promise<QueueUnderTest>): void {
  const key = (): JobKey => ({ tenant: 'default', id: crypto.randomUUID() });

  async function withQueue(use: (under: QueueUnderTest) => Promise<void>): Promise<void> {
    const under = await open();
    try {
      await use(under);
    } finally {
      await under.close();
    }
  }

  describe(`JobQueue on ${name}`, () => {
    test('every doorbell is delivered, with its tenant and id', async () => {
      await withQueue(async ({ queue, consume }) => {
        const keys = Array.from({ length: 40 }, key);
        const taken: string[] = [];
        await consume(async (doorbell) => {
          expect(doorbell.tenant).toBe('default');
          taken.push(doorbell.id);
          return true;
        });
        await Promise.all(keys.map((doorbell) => queue.publish(doorbell)));
        await expect.poll(() => new Set(taken).size, { timeout: 15_000 }).toBe(40);
        expect(new Set(taken)).toEqual(new Set(keys.map((doorbell) => doorbell.id)));
      });
    });

    test('several deliveries are under way at once', async () => {
      await withQueue(async ({ queue, consume }) => {
        let underWay = 0;
        let most = 0;
        await consume(async () => {
          most = Math.max(most, ++underWay);
          await new Promise((resolve) => setTimeout(resolve, 300));
          underWay -= 1;
          return true;
        });
        await Promise.all(Array.from({ length: 8 }, () => queue.publish(key())));
        await expect.poll(() => most, { timeout: 15_000 }).toBeGreaterThan(2);
      });
    });

    test('a doorbell that was refused, or whose worker threw, is delivered again; an acknowledged one is not', async () => {
      await withQueue(async ({ queue, consume }) => {
        const counts = new Map<string, number>();
        const [refused, thrown, fine] = [key(), key(), key()];
        await consume(async ({ id }) => {
          const count = (counts.get(id) ?? 0) + 1;
          counts.set(id, count);
          if (id === refused.id) return count > 2;
          if (id === thrown.id && count === 1) throw new Error('the worker broke');
          return true;
        });
        for (const doorbell of [refused, thrown, fine]) await queue.publish(doorbell);
        await expect.poll(() => [counts.get(refused.id), counts.get(thrown.id)], { timeout: 20_000 }).toEqual([3, 2]);
        // As long again as the longest pause before: nothing more comes.
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        expect([counts.get(refused.id), counts.get(thrown.id), counts.get(fine.id)]).toEqual([3, 2, 1]);
      });
    });

    test('what was not acknowledged when the process died is delivered after a restart', async () => {
      await withQueue(async ({ queue, consume, restart }) => {
        const doorbell = key();
        let began = false;
        await consume(async () => {
          began = true;
          return new Promise<boolean>(() => {});
        });
        await queue.publish(doorbell);
        await expect.poll(() => began, { timeout: 15_000 }).toBe(true);
        await restart();
        const taken: string[] = [];
        await consume(async ({ id }) => {
          taken.push(id);
          return true;
        });
        await expect.poll(() => taken, { timeout: 20_000 }).toContain(doorbell.id);
      });
    });

    test('a doorbell that is always refused is set aside in the end', async () => {
      await withQueue(async ({ queue, consume, deadLetters }) => {
        const doorbell = key();
        let deliveries = 0;
        await consume(async () => {
          deliveries += 1;
          return false;
        });
        await queue.publish(doorbell);
        await expect.poll(deadLetters, { timeout: 40_000, interval: 200 }).toEqual([doorbell]);
        expect(deliveries).toBeGreaterThanOrEqual(DELIVERIES_MOST);
        expect(deliveries).toBeLessThanOrEqual(DELIVERIES_MOST + 1);
      });
    }, 60_000);
  });
}
