/** What every `EstimateStore` must do. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EstimateKey, EstimateStore } from '../../shared/core/ports.ts';

export type OpenEstimates = () => Promise<{ estimateStore: EstimateStore; close(): Promise<void> }>;

export function estimateStoreContract(name: string, open: OpenEstimates): void {
  describe(`EstimateStore on ${name}`, () => {
    let store: EstimateStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      const opened = await open();
      store = opened.estimateStore;
      close = opened.close;
    });
    afterAll(() => close());

    const newKey = (): EstimateKey => ({
      tenant: `tenant-${crypto.randomUUID()}`,
      jobType: 'general_llm_request',
      modelId: crypto.randomUUID(),
    });

    test('nothing is known where nobody put anything', async () => {
      expect(await store.get(newKey())).toBeUndefined();
    });

    test('what was put is read back as it was, by its whole key', async () => {
      const key = newKey();
      await store.put(key, { usualMs: 61_234, jobs: 17 });
      expect(await store.get(key)).toEqual({ usualMs: 61_234, jobs: 17 });
      for (const other of [{ tenant: 'other' }, { jobType: 'review_colab' }, { modelId: crypto.randomUUID() }]) {
        expect(await store.get({ ...key, ...other })).toBeUndefined();
      }
    });

    test('the last one who puts is right', async () => {
      const key = newKey();
      for (const usualMs of [1, 2_000, 86_400_000]) {
        await store.put(key, { usualMs, jobs: 1 });
        expect(await store.get(key)).toEqual({ usualMs, jobs: 1 });
      }
    });

    test('many puts at once leave one of them, whole', async () => {
      const key = newKey();
      const puts = Array.from({ length: 20 }, (_, n) => store.put(key, { usualMs: 1_000 + n, jobs: n }));
      await Promise.all(puts);
      const found = await store.get(key);
      expect(found?.usualMs).toBe(1_000 + (found?.jobs ?? Number.NaN));
    });
  });
}
