/** A followed list on virtual time: what its reader is told and when, what it costs, and how it ends. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import { LINGER_MS } from '../../shared/core/known-job.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { listTools } from '../support/followed-list.ts';
import { secondService } from '../support/second-service.ts';

const GATHER_MS = 250;
const HOUR_MS = 3_600_000;
const ADMIN: Principal = { ...ADA, user: 'root', scopes: ['admin'] };

let world: CoreWorld;
beforeEach(() => {
  world = coreWorld();
});
afterEach(() => world.close());

const { follow, add, change, lists, listeners } = listTools(() => world);

describe('a reader is told', () => {
  test('first of the newest, the newest first, without their payloads, and where the list goes on', async () => {
    const jobs = [await add(1), await add(2, { result: { a: 1 }, rejectedText: 'b' }), await add(3), await add(4)];
    const { events, told, leave } = await follow();
    expect(told).toMatchObject([{ type: 'snapshot', jobs: [3, 2, 1].map((n) => `${jobs[n]?.id} 1`) }]);
    expect(events[0]).toMatchObject({ next: { createdAt: 2, id: jobs[1]?.id } });
    expect(JSON.stringify(events)).not.toMatch(/result|rejectedText/);
    leave();
  });

  test('nothing of a next page where there is none', async () => {
    await add(1);
    const three = await follow({ limit: 1 });
    expect(three.events).toMatchObject([{ type: 'snapshot', next: undefined }]);
    three.leave();
  });

  test('of what is new or has changed, together, a quarter of a second after the first of it', async () => {
    const [one, two] = [await add(1), await add(2)];
    const { told, leave } = await follow();
    await world.clock.advance(1_000);
    const startMs = world.clock.monotonicMs();
    await change(one);
    await world.clock.advance(100);
    const three = await add(3);
    await change(two);
    await change(two);
    await world.clock.advance(GATHER_MS);
    const jobs = [`${three.id} 1`, `${two.id} 3`, `${one.id} 2`];
    expect(told.slice(1)).toEqual([{ type: 'jobs', jobs, gone: [], atMs: startMs + GATHER_MS }]);
    leave();
  });

  test('nothing of a write that no reader can see', async () => {
    const job = await add(1);
    const { told, leave } = await follow();
    const found = await world.store.get(job);
    await world.store.update(job, found?.revision ?? '', { leaseExpiresAt: 5 });
    await world.clock.advance(1_000);
    expect((await world.store.get(job))?.revision).not.toBe(found?.revision);
    expect(told).toHaveLength(1);
    leave();
  });

  test('of jobs that are deleted, or of other filters by now, that they are gone', async () => {
    const [one, two, three] = [await add(1), await add(2), await add(3)];
    const { told, leave } = await follow({ state: 'pending' });
    await change(one, { state: 'processing' });
    await world.clock.advance(1_000);
    await world.service.remove(ADA, two.id);
    await world.clock.advance(1_000);
    expect(told.slice(1)).toMatchObject([
      { jobs: [], gone: [one.id] },
      { jobs: [], gone: [two.id] },
    ]);
    await change(three);
    await world.clock.advance(1_000);
    expect(told.at(-1)).toMatchObject({ jobs: [`${three.id} 2`], gone: [] });
    leave();
  });

  test('nothing of those that newer ones push out; one that comes back is new', async () => {
    const [, two, three] = [await add(1), await add(2), await add(3), await add(4)];
    const { told, leave } = await follow({ state: 'pending' });
    // It is the one behind the newest then, of which the listener still hears.
    const five = await add(5);
    await world.clock.advance(1_000);
    // And those two it hears nothing of any more.
    const [six, seven] = [await add(6), await add(7)];
    await world.clock.advance(1_000);
    await change(two as Job);
    await world.clock.advance(1_000);
    for (const job of [five, six, seven]) await change(job, { state: 'processing' });
    await world.clock.advance(1_000);
    expect(told.slice(1)).toMatchObject([
      { jobs: [`${five.id} 1`], gone: [] },
      { jobs: [`${seven.id} 1`, `${six.id} 1`], gone: [] },
      { gone: [seven.id, six.id, five.id] },
    ]);
    expect(told.at(-1)?.jobs.slice(1)).toEqual([`${three?.id} 1`, `${two?.id} 2`]);
    leave();
  });

  test('of one that is gone and another that is new at once, that it is gone', async () => {
    const [, two] = [await add(1), await add(2), await add(3), await add(4)];
    const { told, leave } = await follow({ state: 'pending' });
    await change(two as Job, { state: 'processing' });
    const five = await add(5);
    await world.clock.advance(1_000);
    expect(told.slice(1)).toMatchObject([{ jobs: [`${five.id} 1`], gone: [two?.id] }]);
    leave();
  });

  test('of jobs of one instant, that one of them is gone that is not the last', async () => {
    const jobs = await Promise.all(Array.from({ length: 5 }, () => add(7)));
    const ids = jobs
      .map(({ id }) => id)
      .sort()
      .reverse();
    const { told, leave } = await follow({ state: 'pending' });
    expect(told[0]?.jobs).toEqual(ids.slice(0, 3).map((id) => `${id} 1`));
    await change({ tenant: ADA.tenant, id: ids[1] ?? '' }, { state: 'processing' });
    await world.clock.advance(1_000);
    expect(told.at(-1)).toMatchObject({ jobs: [`${ids[3]} 1`], gone: [ids[1]] });
    // Pushed out by a job that comes before all of them.
    await add(8);
    await world.clock.advance(1_000);
    expect(told.at(-1)).toMatchObject({ gone: [] });
    leave();
  });

  test('of one that expires that it is gone, and of payloads that go that they do, at that instant', async () => {
    const now = world.clock.nowMs();
    const over = { state: 'completed' as const, completedAt: now, result: 'x' };
    const short = await add(1, { ...over, expiresAt: now + 60_000 });
    const secret = await add(2, { ...over, store: false as const, payloadsExpireAt: now + 120_000 });
    const { told, leave } = await follow();
    await world.clock.advance(59_999);
    expect(told).toHaveLength(1);
    await world.clock.advance(1);
    expect(told.at(-1)).toMatchObject({ jobs: [], gone: [short.id], atMs: 60_000 });
    await world.clock.advance(60_000);
    expect(told.at(-1)).toMatchObject({ jobs: [`${secret.id} 2`], gone: [], atMs: 120_000 });
    expect([told.length, lists()]).toEqual([3, 0]);
    leave();
  });
});

describe('who asks', () => {
  test('is told of their own jobs alone, an administrator of all of the tenant, and that is noted once for each', async () => {
    const mine = await add(1);
    const bobs = await add(2, { user: 'bob' });
    await add(3, { tenant: 'umbrella' });
    const ada = await follow();
    const admin = await follow({}, ADMIN);
    expect(ada.told).toMatchObject([{ jobs: [`${mine.id} 1`] }]);
    expect(admin.told).toMatchObject([{ jobs: [`${bobs.id} 1`, `${mine.id} 1`] }]);
    await change(bobs);
    await world.clock.advance(1_000);
    expect([ada.told.length, admin.told.length]).toEqual([1, 2]);
    const audits = world.lines.filter((line) => line.includes('"audit"'));
    expect(audits.map((line) => JSON.parse(line))).toMatchObject([{ act: 'list', actor: 'root', jobs: 2 }]);
    ada.leave();
    admin.leave();
  });

  test('does not read the result of a job that is gone when it was read', async () => {
    const now = world.clock.nowMs();
    const kept = { store: false as const, payloadsExpireAt: now + HOUR_MS, wakeAt: now + HOUR_MS };
    const job = await add(1, { state: 'completed', result: 'x', ...kept });
    const { told, leave } = await follow();
    await world.clock.advance(120_000);
    expect(told).toHaveLength(1);
    expect((await world.store.get(job))?.job.payloadsExpireAt).toBe(kept.payloadsExpireAt);
    leave();
  });
});

describe('it costs', () => {
  test('one listener for all readers of the same list, and no read; it stays for a moment for who comes back', async () => {
    for (let n = 1; n < 5; n++) await add(n);
    const readers = [];
    for (let n = 0; n < 20; n++) readers.push(await follow({ tag: undefined }));
    const other = await follow({ limit: 2 });
    expect([listeners(), world.service.listeners(), lists()]).toEqual([2, 2, 0]);
    for (const { leave } of readers) leave();
    await world.clock.advance(LINGER_MS - 1);
    const back = await follow();
    await world.clock.advance(LINGER_MS);
    expect([listeners(), world.service.listeners(), lists()]).toEqual([2, 2, 0]);
    back.leave();
    other.leave();
    await world.clock.advance(LINGER_MS);
    expect(world.service.listeners()).toBe(0);
  });

  test('in an hour in which nothing happens twelve reads, where all is over; one more for each job that is not', async () => {
    const over = { state: 'completed' as const, completedAt: 5 };
    await add(1, over);
    await add(2, over);
    const { told, leave } = await follow();
    await world.clock.advance(HOUR_MS);
    expect([listeners(), lists(), world.store.calls('getMany'), world.store.calls('get')]).toEqual([1, 12, 0, 0]);
    await add(3);
    await world.clock.advance(HOUR_MS);
    expect([listeners(), world.store.calls('getMany')]).toEqual([1, 12]);
    expect(told).toHaveLength(2);
    leave();
  });

  test('and in an hour in which something happens often, nothing but the listener', async () => {
    const job = await add(1);
    const { told, leave } = await follow();
    for (let n = 0; n < 60; n++) {
      await change(job);
      await world.clock.advance(HOUR_MS / 60);
    }
    expect([told.length, listeners(), lists(), world.store.calls('getMany')]).toEqual([61, 1, 0, 0]);
    leave();
  });
});

describe('it ends', () => {
  test('when its reader goes, at once, also when nobody asked for an event', async () => {
    const { leave, ended } = await follow();
    leave();
    await world.clock.until(ended);
    const unread = new AbortController();
    await world.clock.until(world.service.streamList(ADA, { limit: 7 }, unread.signal));
    expect(world.service.listeners()).toBe(2);
    unread.abort();
    await world.clock.advance(LINGER_MS);
    expect(world.service.listeners()).toBe(0);
  });

  test('when its reader goes before the store has said anything', async () => {
    const service = secondService(world, { watchList: () => () => {} });
    const leaving = new AbortController();
    const opening = service.streamList(ADA, { limit: 3 }, leaving.signal);
    await world.clock.advance(1_000);
    leaving.abort();
    await world.clock.until(opening);
    await world.clock.advance(LINGER_MS);
    expect(service.listeners()).toBe(0);
    service.close();
  });

  test('for all when the process ends, and nobody can begin', async () => {
    const readers = [await follow(), await follow({ limit: 9 })];
    const startMs = world.clock.monotonicMs();
    world.service.close();
    await world.clock.until(Promise.all(readers.map(({ ended }) => ended)));
    expect([world.clock.monotonicMs(), world.service.listeners()]).toEqual([startMs, 0]);
    const opened = listeners();
    const late = await follow();
    await late.ended;
    expect([late.told, listeners()]).toEqual([[], opened]);
  });
});
