/** E05: a person is erased: jobs in every state, those of others untouched, a store that stops in the middle. */
import { expect } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { ADA } from '../support/core-world.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const EVE = { ...ADA, user: 'eve' };
const ADMIN = { ...ADA, user: 'root', scopes: ['admin' as const] };
/** More than a page. */
const MANY = 60;
const OWN: Partial<Submission> = { tags: ['mine'], stream: true };
const SUBMISSION = { jobType: 'general_llm_request', model: 'simulated' };

export function erasingScenarios(open: Open): void {
  scenario(open, 'E05 jobs in every state are erased; of what others have, nothing', async (world) => {
    world.provider.answerWith(world.provider.held);
    const held = await world.submit({ ...OWN, input: { prompt: 'held' } });
    const { outcome } = await inCall(world, held, world.instance());
    const [pending, done, expired, deleted] = await Promise.all([1, 2, 3, 4].map(() => world.submit(OWN)));
    for (const job of [done, expired] as Job[]) {
      world.answerTo(job);
      await world.deliver(job);
    }
    await world.poke(expired as Job, { expiresAt: 1_000 });
    await world.main.service.remove(ADA, deleted?.id ?? '');
    const evesJob = await submitAs(world, EVE);
    const before = await world.read(evesJob);

    expect(await world.until(world.main.service.eraseUser(ADMIN, 'ada'))).toEqual({ deleted: 4, next: undefined });
    expect(await world.until(outcome)).toEqual({ finished: 'cancelled' });
    for (const job of [held, pending, done, expired, deleted] as Job[]) {
      expect(await world.ground.getWithInput(job)).toMatchObject({ input: null, job: { fingerprint: '' } });
      expect((await world.read(job)).deletedAt).toBeDefined();
      await expect(world.main.service.read(ADA, job.id)).rejects.toMatchObject({ code: 'job_not_found' });
    }
    expect(await world.read(evesJob)).toEqual(before);
    expect(await world.main.service.eraseUser(ADA, 'ada')).toEqual({ deleted: 0, next: undefined });
    expect(audits(world)).toEqual([{ act: 'erase-user', actor: 'root', owner: 'ada', tenant: 'default' }]);
  });

  scenario(open, 'E05 a store that stops in the middle: 503, and the repeat does the rest', async (world) => {
    const jobs = await Promise.all(Array.from({ length: MANY }, () => world.submit()));
    const eraser = world.instance();
    eraser.store.fail('update', 'before', { times: 1_000, skip: 20 });
    eraser.store.fail('get', 'before', { times: 1_000, skip: 30 });
    const broken = eraser.service.eraseUser(ADA, 'ada');
    await expect(world.until(broken)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(eraser.store.fired('before')).toBeGreaterThan(0);
    const left = (await Promise.all(jobs.map((job) => world.read(job)))).filter((job) => job.deletedAt === undefined);
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThan(MANY);
    const again = await world.until(world.main.service.eraseUser(ADA, 'ada'));
    expect(again).toEqual({ deleted: left.length, next: undefined });
    expect(await world.main.service.eraseUser(ADA, 'ada')).toEqual({ deleted: 0, next: undefined });
    // One's own jobs are nobody else's business.
    expect(audits(world)).toEqual([]);
  });

  scenario(open, 'E05 chunks that stayed behind a delete go with its repeat', async (world) => {
    const job = await world.submit(OWN);
    await world.deliver(job);
    const eraser = world.instance();
    eraser.chunks.fail('remove', 'before');
    await expect(eraser.service.eraseUser(ADA, 'ada')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await world.chunks.list(job, 1, 0)).toHaveLength(1);
    expect(await eraser.service.eraseUser(ADA, 'ada')).toEqual({ deleted: 0, next: undefined });
    expect(await world.chunks.list(job, 1, 0)).toEqual([]);
  });

  scenario(open, 'E05 whoever is neither an administrator nor this user may not', async (world) => {
    const job = await world.submit();
    const stranger = { tenant: 'other', user: 'root', scopes: ['admin' as const] };
    await expect(world.main.service.eraseUser(EVE, 'ada')).rejects.toMatchObject({ code: 'forbidden' });
    expect(await world.main.service.eraseUser(stranger, 'ada')).toEqual({ deleted: 0, next: undefined });
    expect((await world.read(job)).state).toBe('pending');
  });
}

async function submitAs(world: World, principal: typeof ADA): Promise<Job> {
  return (await world.main.service.submit(principal, { ...SUBMISSION, input: { prompt: 'hers' } })).job;
}

function audits({ lines }: World) {
  return lines.flatMap((line) => {
    const { by: _, severity: __, event, ...fields } = JSON.parse(line);
    return event === 'audit' ? [fields] : [];
  });
}
