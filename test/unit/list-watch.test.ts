/** The listeners behind followed lists: one that is silent, slow or says too much, whose time it is, and how many there are. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { LINGER_MS } from '../../shared/core/known-job.ts';
import { LIST_WATCHDOG_MS, LISTS_MOST } from '../../shared/core/list-watch.ts';
import type { JobStore, StoredJob } from '../../shared/core/ports.ts';
import { ADA, type CoreWorld, coreWorld } from '../support/core-world.ts';
import { listTools } from '../support/followed-list.ts';
import { secondService } from '../support/second-service.ts';

const GATHER_MS = 250;
/** What SQLite gathers before it tells anybody. */
const STORE_MS = 50;
const HOUR_MS = 3_600_000;

let world: CoreWorld;
beforeEach(() => {
  world = coreWorld();
});
afterEach(() => world.close());

const { follow, add, change, lists, listeners } = listTools(() => world);

describe('a listener', () => {
  /** A service whose first listener is told one thing and nothing more; the next ones work. */
  function deaf(over: Partial<JobStore> = {}) {
    let opened = 0;
    let open = 0;
    let kept = 0;
    const watchList: JobStore['watchList'] = (query, onJobs) => {
      const nth = ++opened;
      open += 1;
      let told = 0;
      const stop = world.store.watchList(query, (found: StoredJob[]) => {
        if (nth > 1 || told++ === 0) onJobs(found);
        else kept += 1;
      });
      return () => {
        open -= 1;
        stop();
      };
    };
    const service = secondService(world, { watchList, ...over });
    return { service, opened: () => opened, open: () => open, kept: () => kept };
  }

  test.each<[string, (job: Job) => Promise<unknown>]>([
    ['a new job', () => add(2)],
    ['a change of one that is not over', (job) => change(job, { state: 'processing' })],
  ])('that falls silent is noticed by %s, and opened again', async (_, happen) => {
    const job = await add(1);
    const { service, opened, open, kept } = deaf();
    const { told, leave } = await follow({}, ADA, service);
    await world.clock.advance(1_000);
    await happen(job);
    await world.clock.advance(LIST_WATCHDOG_MS - 1_001);
    expect([kept(), told.length, opened()]).toEqual([1, 1, 1]);
    await world.clock.advance(1 + GATHER_MS + STORE_MS);
    expect([told.length, opened(), open()]).toEqual([2, 2, 1]);
    expect(world.lines.join()).toContain('listener-silent');
    leave();
    service.close();
  });

  test('of a list that its last reader left while it was looked after is not opened again', async () => {
    await add(1);
    const looked: number[] = [];
    const { service, opened, open } = deaf({
      async list(query) {
        await new Promise<void>((resolve) => void world.clock.setTimer(resolve, 2 * LINGER_MS));
        looked.push(world.clock.monotonicMs());
        return world.store.list(query);
      },
    });
    const { leave } = await follow({}, ADA, service);
    await add(2);
    await world.clock.advance(LIST_WATCHDOG_MS);
    leave();
    await world.clock.advance(HOUR_MS);
    expect(looked).toEqual([LIST_WATCHDOG_MS + 2 * LINGER_MS]);
    expect([opened(), open(), service.listeners()]).toEqual([1, 0, 0]);
    service.close();
  });

  test('that was stopped is not heard any more, whatever it goes on to say', async () => {
    const job = await add(1);
    const tellers: ((found: StoredJob[]) => void)[] = [];
    const service = secondService(world, {
      watchList(query, onJobs) {
        tellers.push(onJobs);
        return world.store.watchList(query, tellers.length > 1 ? onJobs : () => {});
      },
    });
    const { told, leave } = await follow({}, ADA, service);
    await change(job);
    await world.clock.advance(LIST_WATCHDOG_MS + 3_000);
    expect([tellers.length, told.at(-1)?.jobs]).toEqual([2, [`${job.id} 2`]]);
    const before = told.length;
    tellers[0]?.([]);
    await world.clock.advance(1_000);
    expect(told.length).toBe(before);
    leave();
    service.close();
  });

  test('is no witness where the store gives no answer; the next look is', async () => {
    await add(1);
    const { service, opened } = deaf();
    const { told, leave } = await follow({}, ADA, service);
    await add(2);
    world.store.fail('list', 'before');
    await world.clock.advance(LIST_WATCHDOG_MS + 1_000);
    expect([world.store.fired(), told.length, opened()]).toEqual([1, 1, 1]);
    expect(world.lines.join()).toContain('watchdog-unread');
    await world.clock.advance(LIST_WATCHDOG_MS);
    expect([told.length, opened()]).toEqual([2, 2]);
    leave();
    service.close();
  });

  test('that takes long to say its first word costs a look; where that fails, too, nobody is told anything', async () => {
    const job = await add(1);
    let stopped = 0;
    const service = secondService(world, { watchList: () => () => void stopped++ });
    world.store.fail('list', 'before');
    const failing = service.streamList(ADA, { limit: 3 }, new AbortController().signal);
    await expect(world.clock.until(failing)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([world.store.fired(), stopped, service.listeners()]).toEqual([1, 1, 0]);
    const { told, leave } = await follow({}, ADA, service);
    expect([told[0]?.jobs, lists()]).toEqual([[`${job.id} 1`], 2]);
    expect(told[0]?.atMs).toBe(4_000);
    leave();
    service.close();
  });
});

describe('the time', () => {
  /** A service that its store's listeners tell what `change` makes of it. */
  const told = (watchList: JobStore['watchList']) => secondService(world, { watchList });

  test("is the store's: what has not expired by that is there, whatever our own clock says", async () => {
    const job = await add(1, { state: 'completed', expiresAt: world.clock.nowMs() - 1_000 });
    const service = told((query, onJobs) =>
      world.store.watchList(query, (found: StoredJob[]) =>
        onJobs(found.map((stored) => ({ ...stored, readAtMs: stored.readAtMs - HOUR_MS }))),
      ),
    );
    const { events, leave } = await follow({}, ADA, service);
    expect(events[0]?.jobs.map(({ job: { id } }) => id)).toEqual([job.id]);
    leave();
    service.close();
  });

  test('does not go back: the first word of a slow listener is older than what a look has found since', async () => {
    const job = await add(1);
    const late: (() => void)[] = [];
    const service = told((query, onJobs) =>
      world.store.watchList(query, (found) => void late.push(() => onJobs(found))),
    );
    const opening = follow({}, ADA, service);
    await world.clock.advance(1_000);
    await change(job, { state: 'processing' });
    const newer = await add(2);
    const { told: heard, leave } = await opening;
    const seen = [`${newer.id} 1`, `${job.id} 2`];
    expect([heard[0]?.jobs, late.length]).toEqual([seen, 2]);
    late[0]?.();
    await world.clock.advance(1_000);
    const second = await follow({}, ADA, service);
    expect([heard.length, second.told[0]?.jobs]).toEqual([1, seen]);
    await change(job);
    await world.clock.advance(1_000);
    late.at(-1)?.();
    await world.clock.advance(1_000);
    expect(heard.at(-1)).toMatchObject({ jobs: [`${job.id} 3`], gone: [] });
    leave();
    second.leave();
    service.close();
  });
});

describe('different lists', () => {
  test('are followed so many by one owner; those that nobody follows any more make room', async () => {
    const readers = [];
    for (let n = 0; n < LISTS_MOST; n++) readers.push(await follow({ tag: `t${n}` }));
    const more = () => follow({ tag: 'more' });
    await expect(more()).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: LINGER_MS });
    expect(listeners()).toBe(LISTS_MOST);
    // The same list again costs nothing, nor does another's.
    const others = [await follow({ limit: 3, tag: 't0' }), await follow({ tag: 'more' }, { ...ADA, user: 'bob' })];
    readers[7]?.leave();
    others.push(await more());
    expect(world.service.listeners()).toBe(LISTS_MOST + 1);
    for (const { leave } of [...readers, ...others]) leave();
  });

  test('are told apart by what they ask for, in whatever order it is said', async () => {
    const readers = [
      await follow({ tag: 'a', state: 'pending' }),
      await follow({ state: 'pending', tag: 'a', arm: undefined }),
      await follow({ tag: 'pending' }),
    ];
    expect(listeners()).toBe(2);
    for (const { leave } of readers) leave();
  });
});
