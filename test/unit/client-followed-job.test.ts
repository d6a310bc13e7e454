/** What a page shows of its job, with each thing heard. */
import { expect, test } from 'vitest';
import type { JobView } from '../../shared/client/client.ts';
import { errorOf, IDLE, withEvent, withView } from '../../shared/client/followed-job.ts';

const JOB = { job_id: crypto.randomUUID(), status: 'processing', is_complete: false, progress: 40, message: 'Works.' };
const view = (over: object = {}) => ({ ...JOB, version: 3, ...over }) as JobView;
const pending = withView({ ...IDLE, isPending: true }, view());

test('what is older than what was heard changes nothing', () => {
  const cancelled = withView(pending, view({ status: 'cancelled', is_complete: true, progress: 100, version: 5 }));
  expect(cancelled).toMatchObject({ status: 'cancelled', isPending: false });
  expect(withView(cancelled, view({ version: 4 }))).toBe(cancelled);
});

test('progress does not go back, whoever tells of it', () => {
  expect(withView(pending, view({ progress: 20 })).progress).toBe(40);
  const told = withEvent(pending, { type: 'progress', progress: 30, message: 'Still.' });
  expect(told).toMatchObject({ progress: 40, message: 'Still.' });
  expect(withEvent(told, { type: 'progress', progress: 50, message: 'Still.' }).progress).toBe(50);
});

test('text is all of it so far: it grows, begins anew with another attempt, and is replaced by a snapshot', () => {
  const first = withEvent(pending, { type: 'delta', id: 1, text: 'One', soFar: 'One' });
  const second = withEvent(first, { type: 'delta', id: 2, text: ' two', soFar: 'One two' });
  expect([first.text, second.text]).toEqual(['One', 'One two']);
  expect(withEvent(second, { type: 'status', job: view() }).text).toBe('One two');
  expect(withEvent(second, { type: 'reset', id: 3, attempt: 2, soFar: '' }).text).toBe('');
  expect(withEvent(second, { type: 'snapshot', id: 4, job: view(), soFar: 'Three' }).text).toBe('Three');
});

test('a view is news that an error before it does not outlive', () => {
  const lost = { ...pending, error: errorOf(new Error('Lost.')) };
  expect(lost.error).toMatchObject({ code: 'unexpected', message: 'Lost.' });
  expect(withView(lost, view()).error).toBeUndefined();
});
