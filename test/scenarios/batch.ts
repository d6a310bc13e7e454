/** S07: a batch is taken in item by item, whatever happens to one of them, to the store, or to the process in the middle. */
import { expect } from 'vitest';
import type { BatchItem, BatchOutcome } from '../../shared/core/batching.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import { ADA } from '../support/core-world.ts';
import { resultOf } from './provider-double.ts';
import { type Open, scenario } from './world.ts';

/** An item; its name is an idempotency key of its own. */
function item(prompt: string, name?: string): BatchItem {
  const plain = { jobType: 'general_llm_request', model: 'simulated', questionId: prompt, input: { prompt } };
  return { name, submission: { ...plain, idempotencyKey: name } };
}

/** So many items are under way at once. */
const AT_ONCE = 40;

const items = (count: number) => Array.from({ length: count }, (_, index) => item(`item ${index}`));
const jobOf = (outcome: BatchOutcome | undefined) => {
  if (!outcome || 'refused' in outcome) throw new Error('the item was refused');
  return outcome.job;
};
const codeOf = (outcome: BatchOutcome) => ('refused' in outcome ? outcome.refused.code : 'accepted');
const accepted = (count: number) => Array(count).fill('accepted');

export function batchScenarios(open: Open): void {
  scenario(
    open,
    'S07 a batch with a wrong item and one of an unknown model: the others run once each, and are counted',
    async (world) => {
      const wrong = { name: undefined, refused: new ServiceError('invalid_request', 'prompt: must be a string') };
      const unknown = { name: undefined, submission: { jobType: 'general_llm_request', model: 'gpt-17', input: {} } };
      const [first, second, third] = items(3) as [BatchItem, BatchItem, BatchItem];
      const batch = { key: 'k', items: [first, wrong, second, unknown, third] };
      const { batchId, outcomes } = await world.main.service.submitBatch(ADA, batch);
      const codes = ['accepted', 'invalid_request', 'accepted', 'invalid_request', 'accepted'];
      expect(outcomes.map(codeOf)).toEqual(codes);
      expect(await world.jobs()).toHaveLength(3);
      expect(world.published()).toBe(3);
      expect(await world.main.service.countBatch(ADA, batchId)).toMatchObject({ pending: 3, completed: 0 });
      expect(await world.deliverRung()).toEqual(Array(3).fill({ finished: 'completed' }));
      expect(await world.main.service.countBatch(ADA, batchId)).toMatchObject({ pending: 0, completed: 3 });
      for (const index of [0, 2, 4]) {
        const job = await world.read(jobOf(outcomes[index]));
        expect(job).toMatchObject({ batchId, result: resultOf(1), questionId: `item ${index / 2}` });
        expect(world.callsOf(job)).toHaveLength(1);
      }
    },
  );

  scenario(
    open,
    'S07 a crash in the middle of a batch: its repeat stores the rest, and no job twice',
    async (world) => {
      const COUNT = 110;
      const STORED = 55;
      const batch = { key: 'k', items: items(COUNT) };
      const submitter = world.instance();
      submitter.store.fail('create', 'crash', { skip: STORED });
      submitter.queue.fail('publish', 'before', { times: 10_000 });
      let answered = false;
      void submitter.service.submitBatch(ADA, batch).finally(() => {
        answered = true;
      });
      await world.eventually(() => submitter.store.fired('crash') === 1);
      await world.pass(world.isVirtual ? 1 : 500);
      const before = (await world.jobs()).map(({ id }) => id);
      expect(before.length).toBeGreaterThan(0);
      expect(before.length).toBeLessThanOrEqual(STORED);

      const { batchId, outcomes } = await world.until(world.main.service.submitBatch(ADA, batch));
      expect(outcomes.map(codeOf)).toEqual(accepted(COUNT));
      const replayed = outcomes
        .filter((outcome) => 'replayed' in outcome && outcome.replayed)
        .map((one) => jobOf(one).id);
      // One that was on its way when the process died may have arrived after we looked.
      expect(replayed).toEqual(expect.arrayContaining(before));
      expect(replayed.length).toBeLessThanOrEqual(STORED + AT_ONCE);
      expect(await world.jobs()).toHaveLength(COUNT);
      expect(outcomes.map((outcome) => jobOf(outcome).questionId)).toEqual(items(COUNT).map((_, n) => `item ${n}`));
      expect(await world.main.service.countBatch(ADA, batchId)).toMatchObject({ pending: COUNT });
      expect(answered).toBe(false);
      // The repeat rang for those that were stored and never rung, too: nothing waits for the sweeper.
      expect(submitter.queue.fired('before')).toBeGreaterThan(0);
      expect(new Set(world.doorbells.map(({ id }) => id)).size).toBe(COUNT);
      for (const index of [0, STORED - 1, COUNT - 1]) {
        const job = jobOf(outcomes[index]);
        expect(await world.deliver(job)).toEqual({ finished: 'completed' });
        expect(world.callsOf(job)).toHaveLength(1);
      }
    },
  );

  scenario(
    open,
    'S07 the store gives no answer for one item: that one says so and names its job, its repeat makes no second',
    async (world) => {
      world.main.store.fail('create', 'after', { skip: 2 });
      world.main.store.fail('get', 'before');
      const batch = { key: 'k', items: items(5) };
      const { outcomes } = await world.main.service.submitBatch(ADA, batch);
      expect(world.main.store.fired()).toBe(2);
      const unknown = outcomes.filter((outcome) => 'refused' in outcome);
      expect(unknown).toMatchObject([
        { refused: { code: 'store_unavailable', fields: { job_id: expect.any(String) } } },
      ]);
      expect(world.lines.filter((line) => line.includes('batch-item-failed'))).toHaveLength(1);
      const again = await world.main.service.submitBatch(ADA, batch);
      expect(again.outcomes.map(codeOf)).toEqual(accepted(5));
      expect(again.outcomes.map((outcome) => 'replayed' in outcome && outcome.replayed)).toEqual(Array(5).fill(true));
      expect(await world.jobs()).toHaveLength(5);
    },
  );

  scenario(open, 'S07 a store that is silent is asked for a few dozen items, not for 300', async (world) => {
    world.main.store.fail('create', 'before', { times: 10_000 });
    world.main.store.fail('get', 'before', { times: 10_000 });
    const { outcomes } = await world.main.service.submitBatch(ADA, { key: 'k', items: items(300) });
    expect(outcomes.map(codeOf)).toEqual(Array(300).fill('store_unavailable'));
    expect(world.main.store.calls('create')).toBeGreaterThanOrEqual(12);
    expect(world.main.store.calls('create')).toBeLessThan(100);
    expect(outcomes.at(-1)).toMatchObject({ refused: { message: expect.stringContaining('was not tried') } });
    expect(await world.jobs()).toHaveLength(0);
  });

  scenario(
    open,
    'S07 two items of one name in a batch: the first comes first, though its write is slow',
    async (world) => {
      world.main.store.fail('create', 'slow');
      const batch = {
        key: undefined,
        items: [item('one', 'n'), item('one', 'n'), item('other', 'n'), item('two', 'm')],
      };
      const { outcomes } = await world.until(world.main.service.submitBatch(ADA, batch));
      expect(world.main.store.fired('slow')).toBe(1);
      expect(outcomes).toMatchObject([
        { replayed: false, job: { questionId: 'one' } },
        { replayed: true, job: { id: jobOf(outcomes[0]).id } },
        { refused: { code: 'idempotency_conflict' } },
        { replayed: false, job: { questionId: 'two' } },
      ]);
      expect(await world.jobs()).toHaveLength(2);
    },
  );
}

/** Where the machine's time says something: not beside other scenarios. */
export function batchTimeScenarios(open: Open): void {
  scenario(
    open,
    'S07 publishing is down: the batch is accepted without waiting for one publish after the other',
    async (world) => {
      world.main.queue.fail('publish', 'hang', { times: 10_000 });
      const startMs = world.clock.monotonicMs();
      const { outcomes } = await world.until(world.main.service.submitBatch(ADA, { key: 'k', items: items(200) }));
      expect(outcomes.map(codeOf)).toEqual(accepted(200));
      expect(world.main.queue.calls('publish')).toBe(200);
      expect(world.main.queue.fired('hang')).toBe(200);
      const tookMs = world.clock.monotonicMs() - startMs;
      expect(tookMs).toBeGreaterThanOrEqual(1_900);
      // Waiting for each few dozen before the next would be five times 2 s.
      expect(tookMs).toBeLessThan(9_000);
    },
    { realTime: true },
  );
}
