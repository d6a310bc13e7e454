/** The bar that breaks the service: what is known of a victim, when its deed is due, and what is told of it. */
import { describe, expect, test } from 'vitest';
import { DEED_WORDS, told } from '../../functions/console/break-it/told.ts';
import { verdictOn } from '../../functions/console/break-it/verdict.ts';
import {
  changed,
  DEEDS,
  type Deed,
  isDue,
  isLost,
  isOver,
  leftMs,
  newVictim,
  recordedCalls,
  submissionOf,
  type Victim,
  type VictimEvent,
} from '../../functions/console/break-it/victim.ts';
import type { Attempt, JobView } from '../../shared/client/client.ts';

const ID = '4b0d3c9e-0000-4000-8000-000000000001';

type Said = Partial<Attempt> & { n: number };

/** A view with these attempts; each further one is of a later version. */
function view(status: JobView['status'], attempts: Said[], more: Partial<JobView> = {}): JobView {
  const whole = attempts.map((attempt) => ({
    ...{ started_at: '2026-11-28T12:00:00Z', provider: 'openai-compatible', model: 'break-it', calls: 1 },
    ...attempt,
  }));
  const is_complete = status !== 'pending' && status !== 'processing';
  const version = 1 + 2 * attempts.length + Number(is_complete);
  return { job_id: ID, status, is_complete, version, attempts: whole, ...more } as JobView;
}

const seen = (...rest: Parameters<typeof view>): VictimEvent => ({ type: 'seen', job: view(...rest) });
const LOST = { n: 1, outcome: 'lost', error_code: 'lease_lost' } as const;

/** A new victim to which that has happened. */
function victim(deed: Deed, ...events: (VictimEvent | Exclude<VictimEvent['type'], 'seen' | 'refused' | 'undone'>)[]) {
  return events
    .map((event) => (typeof event === 'string' ? ({ type: event } as VictimEvent) : event))
    .reduce(changed, newVictim(deed, ID, 0));
}

const tell = (of: Victim, more: { frozen?: boolean; calls?: number } = {}) =>
  told(of, { frozen: more.frozen ?? false, calls: { [ID]: more.calls ?? 1 } });

describe('a victim', () => {
  test('is submitted as the same job each time, with what the provider is to do in its prompt', () => {
    for (const deed of DEEDS) {
      const submission = submissionOf(newVictim(deed, ID, 0), 'break-it');
      expect(submission).toEqual(submissionOf(newVictim(deed, ID, 99), 'break-it'));
      expect(submission).toMatchObject({ model_id: 'break-it', stream: true, tags: ['break-it'] });
      expect((submission.input_data as { prompt: string }).prompt).toContain(`[break-it ${ID} seconds=`);
    }
    const promptOf = (deed: Deed) => JSON.stringify(submissionOf(newVictim(deed, ID, 0), 'break-it'));
    expect(DEEDS.filter((deed) => promptOf(deed).includes('rate_limit=1'))).toEqual(['rate_limit']);
    expect(DEEDS.filter((deed) => promptOf(deed).includes('cut=1'))).toEqual(['cut']);
  });

  test('keeps the newest view that it has heard of, whatever the order', () => {
    const newer = seen('processing', [LOST, { n: 2 }]);
    const of = victim('kill_worker', 'taken', newer, seen('processing', [{ n: 1 }]));
    expect(of.job?.attempts.map(({ n }) => n)).toEqual([1, 2]);
    expect(recordedCalls(of)).toBe(2);
  });

  test('is the same object where nothing changes', () => {
    const of = victim('kill_worker', 'taken', 'text');
    expect(changed(of, { type: 'text' })).toBe(of);
    const ended = victim('cut', 'taken', seen('completed', [{ n: 1 }]));
    expect(changed(ended, seen('processing', [{ n: 1 }]))).toBe(ended);
  });

  test('holds nothing of its view that is not told', () => {
    const of = victim('cut', 'taken', seen('completed', [{ n: 1 }], { result_data: { result: 'a long story' } }));
    expect(JSON.stringify(of)).not.toContain('story');
  });

  test.each([
    ['taken', { type: 'refused', why: 'No.' }],
    ['taken', 'missing'],
    ['taken', 'overdue'],
    ['taken', seen('completed', [{ n: 1 }])],
    ['taken', seen('failed', [{ n: 1 }])],
    ['taken', seen('cancelled', [])],
  ] as const)('is over after %j and %j', (...events) => {
    expect(isOver(victim('kill_worker', ...events))).toBe(true);
  });

  test('has four minutes in all, whatever was done to it', () => {
    const of = newVictim('freeze_store', ID, 1_000);
    expect(leftMs(of, 1_000)).toBe(240_000);
    expect(leftMs(of, 61_000)).toBe(180_000);
    expect(leftMs(of, 999_000)).toBe(1);
  });
});

describe('the deed', () => {
  test.each(['kill_worker', 'freeze_store'] as const)('%s is due once, when the first text is there', (deed) => {
    const running = seen('processing', [{ n: 1 }]);
    expect(isDue(victim(deed))).toBe(false);
    expect(isDue(victim(deed, 'taken', running))).toBe(false);
    expect(isDue(victim(deed, 'taken', running, 'text'))).toBe(true);
    const done = victim(deed, 'taken', running, 'text', 'doing');
    expect(isDue(done)).toBe(false);
    expect(done).toMatchObject({ times: 1, during: 1 });
  });

  test('deliver is due at once, and again in the middle', () => {
    expect(isDue(victim('deliver'))).toBe(false);
    expect(isDue(victim('deliver', 'taken'))).toBe(true);
    expect(isDue(victim('deliver', 'taken', 'doing'))).toBe(false);
    expect(isDue(victim('deliver', 'taken', 'doing', 'text'))).toBe(true);
    expect(isDue(victim('deliver', 'taken', 'doing', 'text', 'doing'))).toBe(false);
  });

  test.each(['rate_limit', 'cut'] as const)('%s is the provider’s: nothing is due', (deed) => {
    expect(isDue(victim(deed, 'taken', seen('processing', [{ n: 1 }]), 'text'))).toBe(false);
  });

  test.each(DEEDS)('%s is not done to a job that is over, nor tried again where it could not be done', (deed) => {
    expect(isDue(victim(deed, 'taken', 'text', seen('completed', [{ n: 1 }])))).toBe(false);
    expect(isDue(victim(deed, 'taken', 'text', 'doing', { type: 'undone', why: 'No worker.' }))).toBe(false);
  });
});

describe('what is told', () => {
  const running = seen('processing', [{ n: 1 }]);
  const hit = ['taken', running, 'text', 'doing'] as const;

  test('of a worker that is killed', () => {
    expect(tell(victim('kill_worker'))).toBe('Submitting a job…');
    expect(tell(victim('kill_worker', 'taken', seen('pending', [])))).toMatch(/waits for a worker.*is killed when/);
    expect(tell(victim('kill_worker', 'taken', running))).toMatch(/^Attempt 1 is under way.*killed when/);
    expect(tell(victim('kill_worker', ...hit))).toMatch(/^Killed the worker in the middle of attempt 1\. Attempt 2/);
    const second = seen('processing', [LOST, { n: 2 }]);
    expect(tell(victim('kill_worker', ...hit, second))).toBe(
      'Attempt 1 was lost with its worker. Attempt 2 asks the provider anew.',
    );
    expect(tell(victim('kill_worker', ...hit, seen('processing', [LOST])))).toBe(
      'Attempt 1 was lost with its worker. The job waits for a worker.',
    );
    const end = seen('completed', [LOST, { n: 2, outcome: 'completed' }]);
    expect(tell(victim('kill_worker', ...hit, second, end))).toMatch(/completed in attempt 2.*the job was not/);
  });

  test('of a worker that was faster', () => {
    const end = seen('completed', [{ n: 1, outcome: 'completed' }]);
    expect(tell(victim('kill_worker', ...hit, end))).toMatch(/completed in attempt 1\. It was over too soon/);
  });

  test('of a message that comes again and again', () => {
    expect(tell(victim('deliver', 'taken', 'doing'))).toMatch(/^Delivered its message 10 times\. Only one/);
    expect(tell(victim('deliver', ...hit, 'doing'))).toMatch(/10 times, and in the middle 10 times more\./);
    const end = seen('completed', [{ n: 1, outcome: 'completed' }]);
    expect(tell(victim('deliver', ...hit, 'doing', end))).toMatch(/it made one call: /);
  });

  test('of a provider that asks for patience', () => {
    const refused = { n: 1, outcome: 'failed', error_code: 'rate_limited' } as const;
    const waits = seen('processing', [refused, { n: 2 }], { next_attempt_at: '2026-11-28T12:00:01Z' });
    expect(tell(victim('rate_limit', 'taken', running))).toContain('with 429: come back in 1 s');
    expect(tell(victim('rate_limit', 'taken', waits))).toBe(
      'Attempt 1 was answered with 429. Attempt 2 is recorded already, and waits for its time.',
    );
    const end = seen('completed', [refused, { n: 2, outcome: 'completed' }]);
    expect(tell(victim('rate_limit', 'taken', waits, end))).toMatch(/attempt 2\. The second call waited as long/);
  });

  test('of a provider that cuts its stream', () => {
    const cut = { n: 1, outcome: 'failed', error_code: 'network' } as const;
    expect(tell(victim('cut', 'taken', seen('processing', [cut, { n: 2 }])))).toMatch(/^Attempt 1 was cut off\./);
    const end = seen('completed', [cut, { n: 2, outcome: 'completed' }]);
    expect(tell(victim('cut', 'taken', end))).toMatch(/attempt 2\. Half an answer counts for nothing/);
  });

  test('of a store that is frozen, also before that is heard of', () => {
    expect(tell(victim('freeze_store', ...hit))).toMatch(/^Froze the store for 3 s in the middle of attempt 1/);
    expect(tell(victim('freeze_store', ...hit, 'frozen'), { frozen: true })).toMatch(/^Froze the store/);
    expect(tell(victim('freeze_store', ...hit, 'frozen'))).toBe('The store is back, and attempt 1 goes on.');
    const second = seen('processing', [LOST, { n: 2 }]);
    expect(tell(victim('freeze_store', ...hit, 'frozen', second))).toMatch(
      /^Attempt 1 lost its lease\. Attempt 2 asks/,
    );
    const end = seen('completed', [{ n: 1, outcome: 'completed' }]);
    expect(tell(victim('freeze_store', ...hit, 'frozen', end))).toMatch(
      /nothing is missing: one call, each recorded\.$/,
    );
  });

  test('of what goes wrong', () => {
    const why = 'The server cannot be reached.';
    expect(tell(victim('cut', { type: 'refused', why }))).toBe(`The job was not accepted. ${why}`);
    expect(tell(victim('deliver', 'taken', 'doing', { type: 'undone', why }))).toBe(`That could not be done. ${why}`);
    expect(tell(victim('cut', 'taken', 'missing'))).toMatch(/not found any more: it is lost/);
    expect(tell(victim('cut', 'taken', 'overdue'))).toMatch(/^The job is lost: .* not over/);
    const error_message = 'The model refused.';
    expect(tell(victim('cut', 'taken', seen('failed', [{ n: 1 }], { error_message })))).toBe(
      `The job failed. ${error_message}`,
    );
    expect(tell(victim('cut', 'taken', seen('cancelled', [])))).toMatch(/^The job was cancelled\./);
  });

  test.each(DEEDS)('%s has words for its button', (deed) => {
    expect(DEED_WORDS[deed]).toMatch(/^[A-Z]/);
  });
});

describe('the verdict', () => {
  const OTHER = ID.replace(/1$/, '2');
  const two = victim('cut', 'taken', seen('completed', [LOST, { n: 2, calls: 3 }]));

  test('counts what was recorded and what was called, of the victims alone', () => {
    const verdict = verdictOn([two, { ...victim('cut', 'taken'), jobId: OTHER }], { [ID]: 4, elsewhere: 9 });
    expect(verdict).toEqual({ calls: 4, recorded: 4, lost: 0, holds: true });
  });

  test('does not hold where a job is lost', () => {
    const lost = victim('cut', 'taken', 'missing');
    expect(isLost(lost)).toBe(true);
    expect(verdictOn([two, lost], {})).toMatchObject({ lost: 1, holds: false });
    expect(verdictOn([victim('cut', 'taken', 'overdue')], {})).toMatchObject({ lost: 1, holds: false });
  });

  test('waits with its alarm until a call that is not in the view was looked into', () => {
    expect(verdictOn([two], { [ID]: 5 })).toMatchObject({ calls: 5, recorded: 4, holds: true });
    expect(verdictOn([changed(two, { type: 'unrecorded' })], { [ID]: 5 })).toMatchObject({ holds: false });
  });

  test('is not about a job that was never accepted', () => {
    const refused = victim('cut', { type: 'refused', why: 'No.' });
    expect(isLost(refused)).toBe(false);
    expect(verdictOn([refused], {})).toMatchObject({ holds: true });
  });
});
