/** The list of the console's jobs page: what becomes of it by each thing that its stream, or an older page, brings. */
import { describe, expect, test } from 'vitest';
import {
  EMPTY_LIST,
  LIVE_JOBS,
  type Listed,
  released,
  shownBlocks,
  unfollowed,
  withChanges,
  withOlder,
  withSnapshot,
} from '../../functions/console/list/merging.ts';
import type { JobView } from '../../shared/client/client.ts';

/** Job `n`, created in second `n`; a higher one is newer. */
function job(n: number, more: Partial<JobView> = {}): JobView {
  const created_at = new Date(n * 1_000).toISOString();
  return { job_id: `job-${n}`, created_at, version: 1, status: 'completed', is_complete: true, ...more } as JobView;
}

/** Jobs from `newest` down. */
const jobs = (newest: number, count: number) => Array.from({ length: count }, (_, index) => job(newest - index));
const open = (newest: number, count: number, cursor?: string) =>
  withSnapshot(EMPTY_LIST, { jobs: jobs(newest, count), ...(cursor && { next_cursor: cursor }) }, false);
const numbersOf = (blocks: Listed['blocks']) => blocks.flat().map(({ job_id }) => Number(job_id.slice(4)));
const shown = (list: Listed) => numbersOf(shownBlocks(list));
const from = (newest: number, count: number) => Array.from({ length: count }, (_, index) => newest - index);

describe('a change', () => {
  test('of a job that is known stands where it stood; only its block is new', () => {
    const list = withOlder(open(300, 100, 'c'), { jobs: jobs(200, 100), next_cursor: 'd' });
    const next = withChanges(list, { jobs: [job(150, { version: 2, status: 'failed' })], gone: [] }, false);
    expect(shown(next)).toEqual(from(300, 200));
    expect(next.blocks[1]?.[50]).toMatchObject({ status: 'failed' });
    expect(next.blocks[0]).toBe(list.blocks[0]);
    expect(next.blocks[1]).not.toBe(list.blocks[1]);
  });

  test('that is older than what is known changes nothing', () => {
    const list = withChanges(open(10, 5), { jobs: [job(9, { version: 3 })], gone: [] }, false);
    expect(withChanges(list, { jobs: [job(9, { version: 2 })], gone: [] }, false)).toEqual(list);
  });

  test('keeps neither answers nor attempts', () => {
    const list = withChanges(open(1, 1), { jobs: [job(2, { result_data: 'long', attempts: [] })], gone: [] }, false);
    expect(list.blocks[0]?.[0]).toEqual(job(2));
  });

  test('of a list that had nothing begins it', () => {
    expect(shown(withChanges(open(0, 0), { jobs: jobs(2, 2), gone: [] }, false))).toEqual([2, 1]);
  });
});

describe('new jobs', () => {
  test('come to the top in their order, those of the same second too', () => {
    const second = { created_at: job(11).created_at };
    const list = withChanges(open(10, 2), { jobs: [job(12, second), job(11)], gone: [] }, false);
    expect(shown(list)).toEqual([12, 11, 10, 9]);
  });

  test('wait while one reads further down, and are shown when one asks', () => {
    let list = withChanges(open(10, 5), { jobs: jobs(12, 2), gone: [] }, true);
    list = withChanges(list, { jobs: [job(13), job(8, { version: 2, status: 'failed' })], gone: [] }, true);
    expect([list.hidden, shown(list)]).toEqual([3, from(10, 5)]);
    list = withChanges(list, { jobs: [], gone: ['job-12'] }, true);
    expect([list.hidden, shown(list)]).toEqual([2, from(10, 5)]);
    expect(shown(released(list))).toEqual([13, 11, ...from(10, 5)]);
  });

  test('by the thousand leave blocks that are small, and those below as they were', () => {
    const first = withOlder(open(300, 100, 'c'), { jobs: jobs(200, 100), next_cursor: 'd' });
    let list = first;
    for (let n = 301; n <= 1_300; n++) list = withChanges(list, { jobs: [job(n)], gone: [] }, false);
    expect(shown(list)).toEqual(from(1_300, 1_200));
    expect(Math.max(...list.blocks.map(({ length }) => length))).toBeLessThan(200);
    expect(list.blocks.at(-1)).toBe(first.blocks.at(-1));
  });
});

describe('what is gone', () => {
  test('goes, wherever it stood; a block that is empty too', () => {
    const list = withOlder(open(300, 100, 'c'), { jobs: jobs(200, 2) });
    const next = withChanges(list, { jobs: [], gone: ['job-300', 'job-200', 'job-199', 'job-77'] }, false);
    expect(shown(next)).toEqual(from(299, 99));
    expect(next.blocks).toHaveLength(1);
  });
});

describe('an older page', () => {
  test('goes on where the list ended, each job once', () => {
    const list = withOlder(open(300, 100, 'c'), { jobs: jobs(202, 100), next_cursor: 'd' });
    expect([list.cursor, shown(list)]).toEqual(['d', from(300, 198)]);
    expect(withOlder(list, { jobs: jobs(102, 3) }).cursor).toBeUndefined();
  });
});

describe('a stream that is opened again', () => {
  const list = withOlder(open(300, 100, 'c'), { jobs: jobs(200, 100), next_cursor: 'd' });

  test('brings what was missed, and what is gone is gone; older pages stay', () => {
    const missing = jobs(310, 100).filter(({ job_id }) => job_id !== 'job-290');
    const next = withSnapshot(list, { jobs: missing, next_cursor: 'e' }, false);
    expect(shown(next)).toEqual(from(310, 210).filter((n) => n !== 290));
    expect([next.cursor, next.blocks.at(-1)]).toEqual(['d', list.blocks.at(-1)]);
  });

  test('does so, too, where its last job was not known', () => {
    const others = [...jobs(310, 50), job(250, { job_id: 'job-1250' })];
    const next = withSnapshot(list, { jobs: others, next_cursor: 'e' }, false);
    expect(shown(next)).toEqual([...from(310, 50), 1_250, ...from(250, 150)]);
  });

  test('is all there is where nothing follows', () => {
    const next = withSnapshot(list, { jobs: jobs(301, 3) }, false);
    expect([next.cursor, shown(next)]).toEqual([undefined, from(301, 3)]);
  });

  test('begins anew where jobs are missing in between', () => {
    const next = withSnapshot(list, { jobs: jobs(900, 100), next_cursor: 'e' }, false);
    expect([next.cursor, shown(next)]).toEqual(['e', from(900, 100)]);
  });

  test('moves nothing under a reader, whose list goes on from the new top when one asks for it', () => {
    let next = withSnapshot(list, { jobs: jobs(305, 100), next_cursor: 'e' }, true);
    expect([next.hidden, shown(next)]).toEqual([5, from(300, 200)]);
    next = withSnapshot(next, { jobs: jobs(900, 100), next_cursor: 'f' }, true);
    expect([next.hidden, shown(next)]).toEqual([100, from(300, 200)]);
    next = withOlder(withChanges(next, { jobs: [job(901)], gone: [] }, true), { jobs: jobs(100, 9), next_cursor: 'g' });
    expect([next.hidden, shown(next)]).toEqual([101, from(300, 209)]);
    next = released(next);
    expect([next.cursor, next.gap, shown(next)]).toEqual(['f', undefined, from(901, 101)]);
  });

  test('a hundred times leaves no crumbs', () => {
    let next = list;
    for (let n = 301; n <= 400; n++) next = withSnapshot(next, { jobs: jobs(n, 100), next_cursor: 'e' }, false);
    expect(shown(next)).toEqual(from(400, 300));
    expect(next.blocks.length).toBeLessThanOrEqual(5);
  });
});

test('what nobody follows are the jobs below the newest that are not over', () => {
  const running = { status: 'processing', is_complete: false } as const;
  const all = jobs(300, LIVE_JOBS).map((one) => ({ ...one, ...running }));
  const list = withOlder(withSnapshot(EMPTY_LIST, { jobs: all, next_cursor: 'c' }, false), {
    jobs: [job(200, running), job(199), job(198, running)],
  });
  expect(unfollowed(list).map(({ job_id }) => job_id)).toEqual(['job-200', 'job-198']);
});
