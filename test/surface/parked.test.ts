/** What readers are shown of a job that waits for a slot. */
import { expect, test } from 'vitest';
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const parked = { parkedAt: NOW, stage: 'waiting_for_slot' };

test.each([
  ['any', '*', 'Waiting for a slot: as many jobs are running as may'],
  ['one on its model', 'simulated', 'Waiting for a slot: as many jobs on Simulated are running as may'],
])('a job that waits for %s says so', (_, parkedFor, message) => {
  const job = sampleJob({ ...parked, parkedFor });
  expect(renderJob({ job, nowMs: NOW })).toMatchObject({ status: 'pending', stage: 'waiting_for_slot', message });
});

test('one that went to another model waits for that one, and names it', () => {
  const other = { ...sampleJob().model, name: 'Other', model: 'other' };
  const moved = { fallbacks: [{ model: other }], route: 1 };
  const job = sampleJob({ ...parked, ...moved, parkedFor: 'other' });
  const message = 'Waiting for a slot: as many jobs on Other are running as may';
  expect(renderJob({ job, nowMs: NOW })).toMatchObject({ message });
  const called = sampleJob({ ...moved, state: 'processing', startedAt: NOW - 5, leaseExpiresAt: NOW + 9_000 });
  expect(renderJob({ job: called, nowMs: NOW })).toMatchObject({ message: 'Waiting for Other to answer' });
});

test('so does one whose next attempt waits for it', () => {
  const job = sampleJob({ ...parked, parkedFor: '*', state: 'processing', startedAt: NOW - 5, nextAttemptAt: NOW - 1 });
  const view = renderJob({ job, nowMs: NOW });
  expect(view).toMatchObject({ status: 'processing', stage: 'waiting_for_slot', next_attempt_at: undefined });
});
