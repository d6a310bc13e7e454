/** What every `JobStore` must do to accounts: the comments of its `update`, one test each. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Account, type AccountStore, newAccount } from '../../shared/core/accounts.ts';
import type { Hold, Settled } from '../../shared/core/costs.ts';
import type { Job, JobChanges } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { dayOf } from '../../shared/core/utc.ts';
import { NAMES } from './account-store.ts';
import { sampleJob } from './job-store.ts';

export type OpenBoth = () => Promise<{ store: JobStore; accounts: AccountStore; close(): Promise<void> }>;

const DAY = '2025-01-18';
const HOLD: Hold = { tokens: 700, nanoUsd: 9_000, day: DAY };
const SETTLED = { day: DAY, released: { tokens: 700, nanoUsd: 9_000 }, charged: { tokens: 650, nanoUsd: 8_000 } };
const MODEL = 'meta/llama-3.1 `8b`';

export function jobStoreAccountsContract(name: string, open: OpenBoth): void {
  describe(`accounts of JobStore on ${name}`, () => {
    let store: JobStore;
    let accounts: AccountStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, accounts, close } = await open());
    });
    afterAll(() => close());

    async function created(over: Partial<Job> = {}): Promise<Job> {
      const job = sampleJob(over);
      await store.create(job, 1);
      if (!(await accounts.get(job))) await accounts.put(job, { subscription: 'active' });
      return job;
    }

    async function seenBy(job: Job) {
      const seen = await accounts.get(job);
      if (!seen) throw new Error('there is no account');
      return seen;
    }

    const account = async (job: Job): Promise<Account> => (await seenBy(job)).account;
    const revisionOf = async (job: Job) => (await store.get(job))?.revision ?? '';
    const update = async (job: Job, changes: JobChanges) => store.update(job, await revisionOf(job), changes);
    const reserve = async (job: Job, hold = HOLD) =>
      store.update(
        job,
        await revisionOf(job),
        { hold },
        { account: { user: job.user, hold, seen: await seenBy(job) } },
      );
    const settledOf = ({ user }: Job): Settled => ({ user, ...SETTLED });

    test.each(NAMES)('a job of %j reserves in the commit that changes it', async (user) => {
      const job = await created({ user });
      expect(await reserve(job)).toHaveProperty('written');
      expect((await store.get(job))?.job).toEqual({ ...job, hold: HOLD });
      expect(await account(job)).toStrictEqual({
        ...newAccount({ tenant: job.tenant, user }, { subscription: 'active' }),
        reserved: { tokens: 700, nanoUsd: 9_000 },
        nanoUsdByDay: { [DAY]: { reserved: 9_000, charged: 0 } },
      });
    });

    test('a change that has `settled` releases and charges, whatever has become of the account', async () => {
      const first = await created();
      const second = await created({ tenant: first.tenant });
      for (const job of [first, second]) await reserve(job);
      await accounts.grant(first, { id: crypto.randomUUID(), tokens: 1_000 });
      const answers = await Promise.all(
        [first, second].map((job) => update(job, { state: 'completed', settled: settledOf(job) })),
      );
      expect(answers).toEqual([{ written: expect.anything() }, { written: expect.anything() }]);
      expect((await store.get(first))?.job).toMatchObject({ hold: HOLD, settled: settledOf(first) });
      expect(await account(first)).toStrictEqual({
        ...newAccount({ tenant: first.tenant, user: first.user }, { subscription: 'active' }),
        balance: 1_000 - 1_300,
        charged: { tokens: 1_300, nanoUsd: 16_000 },
        nanoUsdByDay: { [DAY]: { reserved: 0, charged: 16_000 } },
      });
    });

    test('when the account has changed since, nothing is written', async () => {
      const job = await created();
      const seen = await seenBy(job);
      await accounts.grant(job, { id: crypto.randomUUID(), tokens: 1 });
      const changes = { account: { user: job.user, hold: HOLD, seen } };
      expect(await store.update(job, await revisionOf(job), { hold: HOLD }, changes)).toEqual({ refused: 'changed' });
      expect((await store.get(job))?.job).toEqual(job);
      expect(await account(job)).toMatchObject({ balance: 1, reserved: { tokens: 0 } });
    });

    test('when the job has changed since, nothing is reserved, and nothing is settled', async () => {
      const job = await created();
      const old = await revisionOf(job);
      await reserve(job);
      const before = await seenBy(job);
      const reserving = { account: { user: job.user, hold: HOLD, seen: before } };
      expect(await store.update(job, old, { hold: HOLD }, reserving)).toEqual({ refused: 'changed' });
      expect(await store.update(job, old, { settled: settledOf(job) })).toEqual({ refused: 'changed' });
      expect((await seenBy(job)).account).toEqual(before.account);
    });

    test('a change that says nothing of it leaves the account as it is', async () => {
      const job = await created();
      await reserve(job);
      const before = await seenBy(job);
      await update(job, { rings: 1 });
      expect((await seenBy(job)).revision).toBe(before.revision);
    });

    test('of 8 jobs that reserve in one account as they saw it exactly one does', async () => {
      const first = await created();
      const others = Array.from({ length: 7 }, () => created({ tenant: first.tenant }));
      const jobs = [first, ...(await Promise.all(others))];
      const seen = await seenBy(first);
      const answers = await Promise.all(
        jobs.map(async (job) =>
          store.update(job, await revisionOf(job), { hold: HOLD }, { account: { user: job.user, hold: HOLD, seen } }),
        ),
      );
      expect(answers.filter((answer) => 'written' in answer)).toHaveLength(1);
      expect(answers.filter((answer) => 'refused' in answer && answer.refused === 'changed')).toHaveLength(7);
      expect(await account(first)).toMatchObject({ reserved: { tokens: 700 } });
    });

    test('a job takes a slot and reserves in one commit: all, or nothing', async () => {
      const job = await created();
      const slotUntil = Date.now() + 60_000;
      const [seen, set] = [await seenBy(job), await store.slots(job.tenant)];
      const other = await created({ tenant: job.tenant, user: 'bob' });
      const slot = { take: MODEL, seen: set };
      expect(await store.update(other, await revisionOf(other), { slotUntil }, { slot })).toHaveProperty('written');
      const both = { slot, account: { user: job.user, hold: HOLD, seen } };
      const claim = { hold: HOLD, slotUntil };
      expect(await store.update(job, await revisionOf(job), claim, both)).toEqual({ refused: 'changed' });
      expect(await account(job)).toMatchObject({ reserved: { tokens: 0 } });
      const now = { ...both, slot: { take: MODEL, seen: await store.slots(job.tenant) } };
      await accounts.grant(job, { id: crypto.randomUUID(), tokens: 1 });
      expect(await store.update(job, await revisionOf(job), claim, now)).toEqual({ refused: 'changed' });
      expect(Object.keys((await store.slots(job.tenant)).running)).toEqual([other.id]);
      const all = { ...now, account: { ...both.account, seen: await seenBy(job) } };
      expect(await store.update(job, await revisionOf(job), claim, all)).toHaveProperty('written');
      expect(Object.keys((await store.slots(job.tenant)).running).sort()).toEqual([job.id, other.id].sort());
      expect(await account(job)).toMatchObject({ reserved: { tokens: 700 } });
      // And back, in one commit, too.
      await update(job, { slotUntil: undefined, state: 'completed', settled: settledOf(job) });
      expect(Object.keys((await store.slots(job.tenant)).running)).toEqual([other.id]);
      expect(await account(job)).toMatchObject({ reserved: { tokens: 0 }, charged: { tokens: 650 } });
    });

    test('days that no budget looks at go with the next hold, but for those of which something is held', async () => {
      const jobs = [await created()];
      for (let n = 0; n < 2; n++) jobs.push(await created({ tenant: jobs[0]?.tenant ?? '' }));
      const [ended, held, next] = jobs as [Job, Job, Job];
      await reserve(ended, { ...HOLD, day: '2020-02-28' });
      await reserve(held, { ...HOLD, day: '2020-02-29' });
      await update(ended, { settled: { ...settledOf(ended), day: '2020-02-28' } });
      const today = dayOf((await seenBy(next)).readAtMs);
      await reserve(next, { ...HOLD, day: today });
      expect((await account(next)).nanoUsdByDay).toEqual({
        '2020-02-29': { reserved: 9_000, charged: 0 },
        [today]: { reserved: 9_000, charged: 0 },
      });
      expect(await account(next)).toMatchObject({ reserved: { tokens: 1_400, nanoUsd: 18_000 } });
    });
  });
}
