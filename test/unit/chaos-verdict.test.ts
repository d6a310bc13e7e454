/** The checker of chaos runs: each rule, broken once. */
import { describe, expect, test } from 'vitest';
import { openLedger, type Told } from '../../infra/chaos-ledger.ts';
import { type LogWatch, logWatch } from '../../infra/chaos-log.ts';
import { CHAOS_KEY, type ProviderCall } from '../../infra/chaos-provider.ts';
import { type Document, type Evidence, verdictOf } from '../../infra/chaos-verdict.ts';
import type { Attempt } from '../../shared/core/attempt-record.ts';
import type { Job } from '../../shared/core/job.ts';
import { NOTICE_TYPES, type NoticeType } from '../../shared/core/notices.ts';

const ID = '00000000-0000-4000-a000-000000000001';
const OTHER = '00000000-0000-4000-a000-000000000002';
const MARK = 'canary-chaos-0000abcd';
const TEXT = `Answer 1 about ${MARK}`;

const attempt = (n: number, outcome: Attempt['outcome'], over: Partial<Attempt> = {}): Attempt => ({
  ...{ n, startedAt: n, provider: 'openai', model: 'gpt-4o-mini', calls: 1, endedAt: n + 1, outcome },
  ...over,
});

/** A job that was lost once and then completed, and all that is known of it. */
function good(over: Partial<Job> = {}): Evidence & { told: [Told]; documents: [Document]; calls: ProviderCall[] } {
  const job: Job = {
    ...{ tenant: 'default', id: ID, user: 'local', jobType: 'general_llm_request', state: 'completed', version: 7 },
    model: { id: 'm', name: 'GPT-4o mini', provider: 'openai', model: 'gpt-4o-mini' },
    ...{ createdAt: 1, fingerprint: 'f', token: 't', sequence: 3, leaseExpiresAt: null, wakeAt: null, wakeShard: 0 },
    ...{ rings: 0, schemaVersion: 1, attempt: 2, attempts: [attempt(1, 'lost'), attempt(2, 'completed')] },
    result: { success: true, result: TEXT },
    ...over,
  };
  const end = JSON.stringify({ status: job.state, is_complete: true, version: job.version });
  const sightings = [
    { status: 'pending', version: 1 },
    { status: 'processing', version: 2 },
    { status: job.state, version: job.version },
  ];
  return {
    told: [{ id: ID, mark: MARK, via: 'POST', sightings, firstEnd: end, lastEnd: end }],
    documents: [{ job, mark: MARK }],
    calls: [
      { mark: MARK, worker: 0, text: 'Answer 0', end: 'abandoned' },
      { mark: MARK, worker: 1, text: TEXT, end: 'answered' },
    ],
    receipts: [],
    wrong: [],
    isInterrupted: false,
  };
}

const cancelled = (over: Partial<Job> = {}) =>
  good({ state: 'cancelled', result: undefined, attempts: [attempt(1, 'lost'), attempt(2, 'cancelled')], ...over });
const failed = (code: string, over: Partial<Job> = {}) =>
  good({
    ...{ state: 'failed', result: undefined, error: { code, message: 'No.' } },
    ...{ attempts: [attempt(1, 'lost'), attempt(2, 'failed')], ...over },
  });

function found(evidence: Evidence) {
  const { lost, doubled, violations, open } = verdictOf(evidence);
  return { lost: lost.length, doubled: doubled.length, violations, open };
}

const NOTHING = { lost: 0, doubled: 0, violations: [], open: 0 };

test('a run in which all went well is good', () => {
  expect(found(good())).toEqual(NOTHING);
  expect(found(cancelled())).toEqual(NOTHING);
  expect(verdictOf(good())).toMatchObject({ accepted: 1, calls: 2, recordedCalls: 2, states: { completed: 1 } });
});

describe('lost is a job that was accepted', () => {
  const unfinished = () => good({ state: 'processing', attempts: [attempt(1, 'lost'), attempt(2, undefined)] });

  test('and is not there', () => {
    expect(found({ ...good(), documents: [], calls: [] })).toMatchObject({ lost: 1, doubled: 0 });
  });

  test('and is not over, unless the run was broken off', () => {
    const told: Told[] = [{ id: ID, mark: MARK, via: 'PUT', sightings: [] }];
    expect(found({ ...unfinished(), told })).toEqual({ ...NOTHING, lost: 1 });
    expect(found({ ...unfinished(), told, isInterrupted: true })).toEqual({ ...NOTHING, open: 1 });
  });
});

describe('doubled is a job', () => {
  test('with more calls than are recorded', () => {
    const { calls, ...rest } = good();
    expect(found({ ...rest, calls: [...calls, ...calls.slice(0, 1)] })).toMatchObject({ lost: 0, doubled: 1 });
  });

  test('with two attempts that completed', () => {
    const attempts = [attempt(1, 'completed'), attempt(2, 'completed')];
    expect(found(good({ attempts })).doubled).toBe(1);
  });

  test('that was submitted once and stored twice', () => {
    const { documents, ...rest } = good();
    const twin = { mark: MARK, job: { ...documents[0].job, id: OTHER } };
    expect(found({ ...rest, documents: [...documents, twin] }).doubled).toBe(1);
  });
});

describe('a violation is', () => {
  const [told] = good().told;
  const [, processing, completed] = told.sightings as [
    Told['sightings'][0],
    Told['sightings'][0],
    Told['sightings'][0],
  ];
  const seen = (over: Partial<Told>) => ({ ...good(), told: [{ ...told, ...over }] });

  test.each<[string, Evidence, RegExp]>([
    ['what was found on the way', { ...good(), wrong: ['a leak'] }, /^a leak$/],
    ['a job that nobody submitted', { ...good(), documents: [{ ...good().documents[0], mark: undefined }] }, /nobody/],
    [
      'a call for no job',
      { ...good(), calls: [...good().calls, { ...good().calls[0], mark: 'x' } as never] },
      /no job/,
    ],
    ['a gap in the attempts', good({ attempt: 3, attempts: [attempt(1, 'lost'), attempt(3, 'completed')] }), /1,3/],
    ['an attempt too few', good({ attempt: 3 }), /1,2, not 1,2,3/],
    ['an attempt without an outcome', good({ attempts: [attempt(1, undefined), attempt(2, 'completed')] }), /no end/],
    [
      'an attempt without an end',
      good({ attempts: [attempt(1, 'lost', { endedAt: undefined }), attempt(2, 'completed')] }),
      /no end/,
    ],
    ['a lease after the end', good({ leaseExpiresAt: 9 }), /lease/],
    ['a time to wake after the end', good({ wakeAt: 9 }), /wake/],
    [
      'a completed job without a completed attempt',
      good({ attempts: [attempt(1, 'lost'), attempt(2, 'lost')] }),
      /no att/,
    ],
    [
      'an attempt after the completed one',
      good({ attempts: [attempt(1, 'completed'), attempt(2, 'lost')] }),
      /after the/,
    ],
    ['a result that is a part of an answer', good({ result: { result: TEXT.slice(0, 9) } }), /no answer/],
    [
      'a result that was cut',
      { ...good(), calls: good().calls.map((call) => ({ ...call, end: 'cut' as const })) },
      /no answer/,
    ],
    ['no result', good({ result: undefined }), /no answer/],
    [
      'a cancelled job with a completed attempt',
      cancelled({ attempts: good().documents[0].job.attempts }),
      /completed/,
    ],
    ['a cancelled job with a result', cancelled({ result: { result: TEXT } }), /has a result/],
    ['a failure that nobody caused', failed('network'), /failed with network/],
    ['a crash loop of one crash', failed('crash_loop'), /failed with crash_loop/],
    ['a version that falls', seen({ sightings: [completed, { ...completed, version: 6 }] }), /version 7, then 6/],
    ['a state that goes back', seen({ sightings: [completed, { ...processing, version: 8 }] }), /completed, then proc/],
    [
      'an end that becomes another end',
      seen({ sightings: [completed, { status: 'cancelled', version: 8 }] }),
      /completed, then cancelled/,
    ],
    ['an end that is read otherwise later', seen({ firstEnd: '{}' }), /was read as \{\}, then/],
    [
      'an end that is stored otherwise',
      { ...good(), documents: good({ version: 8 }).documents },
      /version 7; it is completed, version 8/,
    ],
    ['a cancel that was done and undone', seen({ cancel: 'cancelled' }), /cancel was answered \(cancelled\)/],
    ['a cancel that was accepted and forgotten', seen({ cancel: 'requested' }), /cancel was answered \(requested\)/],
  ])('%s', (_, evidence, sentence) => {
    expect(found(evidence).violations.join('\n')).toMatch(sentence);
  });

  test('a state that the webhook of its job was not told, unless it is in the outbox', () => {
    const webhook = { url: 'https://hooks.example.com/', events: [...NOTICE_TYPES] };
    const notice = (type: NoticeType, version: number) => ({ type, version, happenedAt: 1, to: ['webhook' as const] });
    const outbox = {
      ...{ dueAt: 9, wakeAt: 9, lifeWakeAt: null, tries: 0, rings: 0 },
      notices: [notice('started', 2)],
    };
    expect(found(good({ webhook })).violations.join()).toMatch(/job.started was not told.*job.completed was not told/);
    const violations = found(good({ webhook, outbox, wakeAt: 9 })).violations;
    expect(violations).toEqual([expect.stringMatching(/job.completed was not told/)]);
    const whole = { ...outbox, notices: [...outbox.notices, notice('completed', 7)] };
    expect(found(good({ webhook, outbox: whole, wakeAt: 9 }))).toEqual(NOTHING);
  });

  test('not: a failure after five calls that failed, or eight workers that died', () => {
    const attempts = Array.from({ length: 8 }, (_, index) => attempt(index + 1, 'lost'));
    const cut: ProviderCall[] = Array.from({ length: 5 }, () => ({ mark: MARK, worker: 0, text: TEXT, end: 'cut' }));
    expect(found(failed('crash_loop', { attempt: 8, attempts }))).toEqual(NOTHING);
    expect(found({ ...failed('network', { attempt: 8, attempts }), calls: cut })).toEqual(NOTHING);
  });
});

describe('on the way', () => {
  test('two ids for one submission, and the first and the last end of a job, are noticed', () => {
    const ledger = openLedger();
    const job = ledger.accepted(MARK, 'POST', ID);
    expect(ledger.accepted(MARK, 'POST', ID)).toBe(job);
    expect(ledger.wrong).toEqual([]);
    ledger.accepted(MARK, 'POST', OTHER);
    expect(ledger.wrong).toHaveLength(1);
    ledger.saw(job, { status: 'pending', is_complete: false, version: 1 }, 'a');
    ledger.saw(job, { status: 'pending', is_complete: false, version: 1 }, 'b');
    ledger.saw(job, { status: 'failed', is_complete: true, version: 2 }, 'c');
    ledger.saw(job, { status: 'failed', is_complete: true, version: 2 }, 'd');
    expect(job).toMatchObject({ firstEnd: 'c', lastEnd: 'd' });
    expect(job.sightings.map(({ version }) => version)).toEqual([1, 2]);
    expect(ledger.over()).toBe(1);
  });

  test('events are counted, and keys, prompts and processes that ended by themselves are noticed', () => {
    const log: LogWatch = logWatch();
    log.take('worker 1: {"severity":"WARNING","message":"lease-lost","why":"lease-ended"}');
    log.take('worker 1: {"severity":"DEBUG","message":"claim-refused","why":"leased"}');
    log.take('worker: worker died (SIGKILL); starting it again');
    log.take('worker: worker died (0); starting it again');
    expect(log.count('lease-lost')).toBe(1);
    expect(log.count('lease-lost', 'lease-ended')).toBe(1);
    expect(log.count('lease-lost', 'not renewed in time')).toBe(0);
    expect(log.troubles()).toEqual([['lease-lost', 1]]);
    expect([log.leaks, log.crashes]).toEqual([[], []]);
    log.take(`submit: {"message":"oh","prompt":"about ${MARK}"}`);
    log.take(`submit: not JSON: ${CHAOS_KEY}`);
    log.take('sweeper: sweeper died (1); starting it again');
    expect([log.leaks.length, log.crashes.length]).toEqual([2, 1]);
  });
});
