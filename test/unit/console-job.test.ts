/** What the job page makes of what it hears, and how it shows a result. */
import { describe, expect, test } from 'vitest';
import { bytesOf, resultParts } from '../../functions/console/job/result-parts.ts';
import { type Heard, unheard, withHeard } from '../../functions/console/job/shown-job.ts';
import { type JobStatus, type JobView, LlmJobsError } from '../../shared/client/client.ts';

const ID = '0b5e4c1e-7a0e-4b7e-9d52-3f1f3c9a1d01';

function view(version: number, status: JobStatus, more: Partial<JobView> = {}): JobView {
  return {
    ...{ success: true, job_id: ID, job_type: 'general_llm_request', status, version, message: status, attempts: [] },
    ...{ created_at: '2026-01-01T00:00:00Z', model: { id: ID, name: 'Simulated', provider: 'simulated' } },
    is_complete: !['pending', 'processing'].includes(status),
    progress: status === 'completed' ? 100 : 0,
    ...{ start_within: 1, timeout: 1, attempt_timeout: 1, idle_timeout: 1, ttl_seconds: 1 },
    urls: { status: '', result: '', stream: '', cancel: '' },
    ...more,
  };
}

const shownAfter = (...heard: Heard[]) => heard.reduce(withHeard, unheard(ID));
const snapshot = (job: JobView, soFar = ''): Heard => ({ event: { type: 'snapshot', id: 0, job, soFar }, atMs: 10 });
const status = (job: JobView, atMs: number): Heard => ({ event: { type: 'status', job }, atMs });

describe('a job that is followed', () => {
  test('shows its stages in the order in which they came, once each, with when they came', () => {
    const shown = shownAfter(
      snapshot(view(1, 'pending')),
      status(view(2, 'processing', { stage: 'queued' }), 20),
      status(view(3, 'processing', { stage: 'queued' }), 30),
      status(view(4, 'processing', { stage: 'calling_llm' }), 40),
      status(view(5, 'processing', { stage: 'waiting' }), 50),
      status(view(6, 'processing', { stage: 'calling_llm' }), 60),
      status(view(7, 'completed', { stage: 'calling_llm' }), 70),
    );
    expect(shown.stages).toEqual([
      { stage: 'queued', sinceMs: 20 },
      { stage: 'calling_llm', sinceMs: 40 },
      { stage: 'waiting', sinceMs: 50 },
      { stage: 'calling_llm', sinceMs: 60 },
    ]);
  });

  test('says no time of a stage that had begun before', () => {
    const shown = shownAfter(snapshot(view(4, 'processing', { stage: 'calling_llm' })));
    expect(shown.stages).toEqual([{ stage: 'calling_llm' }]);
  });

  test('loses its text with a new attempt, and keeps it at an end without a result', () => {
    const begun = [
      snapshot(view(2, 'processing'), 'The '),
      { event: { type: 'delta', id: 1, text: 'fox', soFar: 'The fox' }, atMs: 20 },
    ] as const;
    expect(shownAfter(...begun).followed.text).toBe('The fox');
    const over = { event: { type: 'done', job: view(3, 'cancelled') }, atMs: 30 } as Heard;
    expect(shownAfter(...begun, over).followed).toMatchObject({
      text: 'The fox',
      status: 'cancelled',
      isPending: false,
    });
    const reset: Heard = { event: { type: 'reset', id: 1_000_000, attempt: 2, soFar: '' }, atMs: 30 };
    expect(shownAfter(...begun, reset).followed.text).toBe('');
  });

  test('is not what an older view says, as when a cancel was answered before', () => {
    const shown = shownAfter(
      snapshot(view(2, 'processing')),
      { view: view(4, 'cancelled'), atMs: 20 },
      status(view(3, 'processing', { stage: 'calling_llm' }), 30),
    );
    expect(shown.followed.status).toBe('cancelled');
    expect(shown.stages).toEqual([]);
  });

  test('takes up the answer that could not be used from a view of the same version', () => {
    const failed = view(5, 'failed', { error_code: 'schema_violation', error_message: 'It does not fit.' });
    const shown = shownAfter(
      { event: { type: 'done', job: failed as never }, atMs: 20 },
      { view: { ...failed, rejected_text: '{' }, atMs: 21 },
    );
    expect(shown.followed.job?.rejected_text).toBe('{');
    expect(shown.followed.error).toMatchObject({ code: 'schema_violation', message: 'It does not fit.' });
  });

  test('has a problem until something is heard again, and is deleted for good', () => {
    const problem = new LlmJobsError('unauthenticated', 'Who are you?');
    const lost = shownAfter(snapshot(view(2, 'processing')), { problem });
    expect(lost).toMatchObject({ problem, followed: { status: 'processing' } });
    expect(withHeard(lost, status(view(3, 'processing'), 30)).problem).toBeUndefined();
    expect(withHeard(lost, { deleted: true }).isDeleted).toBe(true);
  });
});

test.each([
  [{ success: true, result: 'Hello.' }, { text: 'Hello.' }],
  [{ success: true, result: { a: 1 } }, { text: '{\n  "a": 1\n}' }],
  [
    { success: true, result: 'Hello.', warnings: ['cut'] },
    { text: 'Hello.', more: '{\n  "warnings": [\n    "cut"\n  ]\n}' },
  ],
  [{ other: true }, { text: '{\n  "other": true\n}' }],
  [null, { text: 'null' }],
  ['plain', { text: 'plain' }],
])('a result %j is shown as text where it is text', (data, shown) => {
  expect(resultParts(data)).toEqual(shown);
});

test('sizes are said in words', () => {
  expect([0, 999, 12_345, 3_456_789].map(bytesOf)).toEqual(['0 B', '999 B', '12 KB', '3.5 MB']);
});
