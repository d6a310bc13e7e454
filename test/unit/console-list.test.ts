/** What the console's pages of jobs and of what failed decide without a browser. */
import { describe, expect, test } from 'vitest';
import { groupsOf } from '../../functions/console/list/dead-letters.ts';
import { filtersIn, JOB_TYPES } from '../../functions/console/list/filters.ts';
import { type ListHearer, liveList } from '../../functions/console/list/live-list.ts';
import { type JobView, LlmJobsError } from '../../shared/client/client.ts';
import { JOB_TYPES as REGISTERED } from '../../shared/job-types/registry.ts';

function job(n: number, more: Partial<JobView> = {}): JobView {
  const created_at = new Date(n * 1_000).toISOString();
  return { job_id: `job-${n}`, created_at, version: 1, status: 'processing', model: {}, ...more } as JobView;
}

describe('filters', () => {
  test('are those that the list has; what is empty is none', () => {
    const query = new URLSearchParams('status=failed&tag=+&arm=a%2Fb&cursor=x&limit=3&model= gpt-4 ');
    expect(filtersIn(query)).toEqual({ status: 'failed', arm: 'a/b', model: 'gpt-4' });
  });

  test('know all job types', () => {
    expect([...JOB_TYPES].sort()).toEqual(REGISTERED.map(({ name }) => name).sort());
  });
});

test('what failed is grouped by why, messages that were never taken in apart, the largest group first', () => {
  const failed = (n: number, error_code: string, provider = 'openai') =>
    job(n, { error_code, error_message: `Sentence ${n}.`, model: { id: '', name: '', provider } });
  const groups = groupsOf([
    ...[failed(1, 'invalid_request', 'unknown'), failed(2, 'auth'), failed(3, 'invalid_request')],
    ...[failed(4, 'auth'), failed(5, 'brand_new')],
  ]);
  expect(groups.map(({ code, isUnread, jobs }) => [code, isUnread, jobs.length])).toEqual([
    ['auth', false, 2],
    ['invalid_request', true, 1],
    ['invalid_request', false, 1],
    ['brand_new', false, 1],
  ]);
  expect(groups[1]?.title).toBe('Messages that could not be taken in');
  expect(groups[3]?.title).toBe('Sentence 5.');
});

describe('a live list', () => {
  /** One whose stream is this test, and whose connection is lost and found by it. */
  function open(jobs: object = {}) {
    const streams: { hearer: ListHearer; signal: AbortSignal; fail(error: unknown): void }[] = [];
    const hearers = new Set<() => void>();
    let isLost = false;
    const list = liveList({
      filters: { status: 'processing' },
      jobs: jobs as never,
      follow: (hearer, signal) => new Promise((_, fail) => streams.push({ hearer, signal, fail })),
      connection: {
        isLost: () => isLost,
        subscribe(hear) {
          hearers.add(hear);
          return () => hearers.delete(hear);
        },
      },
    });
    const connect = (lost: boolean) => {
      isLost = lost;
      for (const hear of hearers) hear();
    };
    return { list, streams, connect, stop: list.start() };
  }
  const settled = () => new Promise((resolve) => setTimeout(resolve));

  test('opens its stream again when a lost connection is back, but no second one', () => {
    const { streams, connect, stop } = open();
    streams[0]?.hearer.stream('live');
    connect(true);
    connect(false);
    expect(streams).toHaveLength(1);
    streams[0]?.hearer.stream('off');
    connect(true);
    connect(false);
    expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    stop();
    connect(false);
    expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  test('tells what ended its stream for good, unless somebody left', async () => {
    const { list, streams, stop } = open();
    const error = new LlmJobsError('forbidden', 'No.');
    streams[0]?.fail(error);
    await settled();
    expect(list.state()).toMatchObject({ isLoaded: true, error });
    const other = open();
    other.stop();
    other.streams[0]?.fail(error);
    await settled();
    expect(other.list.state().error).toBeUndefined();
    stop();
  });

  test('asks for an older page once, and drops it where the list began anew meanwhile', async () => {
    const asked: object[] = [];
    let answer = (_page: object) => {};
    const listPage = (filters: object) => {
      asked.push(filters);
      return new Promise<object>((resolve) => {
        answer = resolve;
      });
    };
    const { list, streams } = open({ listPage });
    streams[0]?.hearer.snapshot({ jobs: [job(9)], next_cursor: 'c' });
    const older = list.older();
    list.older();
    expect(asked).toEqual([{ status: 'processing', limit: 100, cursor: 'c' }]);
    streams[0]?.hearer.snapshot({ jobs: [job(900)], next_cursor: 'd' });
    answer({ jobs: [job(8)], next_cursor: 'e' });
    await older;
    expect(list.state()).toMatchObject({ isAskingOlder: false, cursor: 'd', blocks: [[{ job_id: 'job-900' }]] });
  });

  test('tells why older ones did not come, until they are asked for once more', async () => {
    const error = new LlmJobsError('forbidden', 'No.');
    const { list, streams } = open({ listPage: () => Promise.reject(error) });
    streams[0]?.hearer.snapshot({ jobs: [job(9)], next_cursor: 'c' });
    await list.older();
    expect(list.state()).toMatchObject({ isAskingOlder: false, olderError: error, cursor: 'c' });
    const once = list.older();
    expect(list.state()).toMatchObject({ isAskingOlder: true, olderError: undefined });
    await once;
  });

  test('that is left and come back to shows what it had, and hears of what is new', () => {
    const { list, streams, stop } = open();
    streams[0]?.hearer.snapshot({ jobs: [job(9)] });
    stop();
    list.start();
    expect(list.state().blocks.flat()).toMatchObject([{ job_id: 'job-9' }]);
    streams[1]?.hearer.snapshot({ jobs: [job(10), job(9)] });
    expect(list.state().blocks.flat()).toMatchObject([{ job_id: 'job-10' }, { job_id: 'job-9' }]);
    expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  test('looks again at those that nobody tells of: those that are not of its filters any more go', async () => {
    const asked: string[] = [];
    const answers = { jobs: [job(99, { progress: 50 }), job(98, { status: 'completed' })], not_found: ['job-97'] };
    const request = async ({ path }: { path: string }) => {
      asked.push(path);
      return answers;
    };
    const { list, streams } = open({ request });
    const jobs = Array.from({ length: 103 }, (_, index) => job(199 - index));
    streams[0]?.hearer.snapshot({ jobs });
    await list.lookAgain();
    expect(asked).toEqual(['/api/llm/jobs/?ids=job-99,job-98,job-97']);
    expect(list.state().blocks.flat().slice(100)).toMatchObject([{ job_id: 'job-99', progress: 50 }]);
  });
});
