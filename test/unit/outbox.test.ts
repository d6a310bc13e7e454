/** The outbox of a job: what gets into it, when it is tried, and when it is given up. */
import { describe, expect, test } from 'vitest';
import type { EventOf, JobEvent } from '../../shared/core/events.ts';
import { applyChanges, type Job } from '../../shared/core/job.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import type { Audience, Delivery, NoticeType } from '../../shared/core/notices.ts';
import { bornWithNotice, hasDueNotices, NOTICE_GRACE_MS } from '../../shared/core/outbox.ts';
import { FAILURES_HOLD, NOTICE_PAUSES_MS, NOTICE_TRIES_MOST, newestNotice } from '../../shared/core/outbox-tries.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const LEASE_MS = 30_000;
const DAY_MS = 86_400_000;
const URL = 'https://hooks.example.com/jobs';
const ENDS: NoticeType[] = ['completed', 'failed', 'cancelled'];
const ALL: NoticeType[] = ['started', ...ENDS];

const now = { nowMs: NOW, storedAtMs: NOW - 1_000 };

function changed(job: Job, event: JobEvent): Job {
  const { changes, refused } = transition(job, event);
  expect(refused).toBeUndefined();
  return applyChanges(job, changes ?? {});
}

const refusalOf = (job: Job, event: JobEvent) => transition(job, event).refused;
const pending = (over: Partial<Job> = {}) => sampleJob({ wakeAt: NOW + 20_000, ...over });
const hooked = (events: NoticeType[], over: Partial<Job> = {}) => pending({ webhook: { url: URL, events }, ...over });
const claim = (job: Job, nowMs = NOW) =>
  changed(job, { type: 'claim', ...now, nowMs, token: 'held', leaseMs: LEASE_MS, holder: 'w', stage: 's' });
const finish = (job: Job, nowMs = NOW) =>
  changed(job, { type: 'finish', nowMs, token: 'held', outcome: { state: 'completed', result: 'r' } });
const take = (job: Job, nowMs = NOW, token = 'teller') =>
  changed(job, { type: 'take-notices', nowMs, token, leaseMs: LEASE_MS });
const tell = (job: Job, nowMs: number, over: Partial<EventOf<'told'>> = {}) =>
  changed(job, { ...toldAt(nowMs), ...over });
const toldAt = (nowMs: number): EventOf<'told'> => ({
  ...({ type: 'told', nowMs, token: 'teller', delivered: { webhook: [], topic: [] }, tried: [], random: 0 } as const),
});
const failure = (job: Job, version = job.outbox?.notices[0]?.version ?? 0): Delivery => ({
  ...({ type: 'started', version, happenedAt: NOW, triedAt: NOW, ms: 1, failure: 'status', status: 500 } as const),
});
const notice = (type: NoticeType, version: number, to: Audience[] = ['webhook'], happenedAt = NOW) => ({
  ...{ type, version, happenedAt, to },
});

describe('what gets in', () => {
  test('nothing where nobody asked; what was asked alone; the topic has all', () => {
    expect(finish(claim(pending()))).not.toHaveProperty('outbox');
    expect(claim(hooked(ENDS))).not.toHaveProperty('outbox');
    expect(finish(claim(hooked(ENDS))).outbox?.notices).toEqual([notice('completed', 3)]);
    const both: Audience[] = ['webhook', 'topic'];
    const told = finish(claim(hooked(ALL, { announced: true })));
    expect(told.outbox?.notices).toEqual([notice('started', 2, both), notice('completed', 3, both)]);
    const announced = finish(claim(hooked(['failed'], { announced: true })));
    expect(announced.outbox?.notices).toEqual([notice('started', 2, ['topic']), notice('completed', 3, ['topic'])]);
  });

  test('with the change that it tells of: due at once, and looked at should the doorbell be lost', () => {
    const ended = finish(claim(hooked(ENDS)));
    expect(ended).toMatchObject({ state: 'completed', wakeAt: NOW + NOTICE_GRACE_MS });
    expect(ended.outbox).toMatchObject({
      dueAt: NOW,
      wakeAt: NOW + NOTICE_GRACE_MS,
      lifeWakeAt: null,
      tries: 0,
      rings: 0,
    });
    expect([hasDueNotices(ended, NOW - 1), hasDueNotices(ended, NOW)]).toEqual([false, true]);
  });

  test('a new one while the older waits: all are due at once, and the schedule begins anew', () => {
    const started = claim(hooked(ALL));
    const waiting = tell(take(started), NOW, { tried: [failure(started)] });
    expect(waiting.outbox).toMatchObject({ dueAt: NOW + 5_000, tries: 1 });
    const ended = finish(waiting, NOW + 1_000);
    expect(ended.outbox).toMatchObject({ dueAt: NOW + 1_000, wakeAt: NOW + 1_000 + NOTICE_GRACE_MS, tries: 0 });
    expect(ended.outbox?.notices).toMatchObject([{ type: 'started', failures: 1 }, { type: 'completed' }]);
  });

  test('a new one while somebody is at it: they keep the outbox, and it is due when they are done', () => {
    const taken = take(claim(hooked(ALL)));
    const ended = finish(taken, NOW + 1_000);
    expect(ended.outbox).toMatchObject({ token: 'teller', dueAt: NOW + LEASE_MS, tries: 0 });
    const left = tell(ended, NOW + 2_000, { delivered: { webhook: [2], topic: [] } });
    // As early as that it happened: now is rather late, and they look again at once.
    expect(left.outbox).toMatchObject({ notices: [{ type: 'completed' }], dueAt: NOW + 1_000, tries: 0 });
    expect(left.wakeAt).toBe(NOW + 2_000 + NOTICE_GRACE_MS);
    expect(left.outbox).not.toHaveProperty('token');
    // Should they have died instead, whoever comes after them finds both.
    expect(refusalOf(take(ended, NOW + LEASE_MS, 'other'), toldAt(NOW + LEASE_MS))).toBe('lease-lost');
  });

  test('a message that could not be taken in begins with one', () => {
    const failed = sampleJob({ state: 'failed', announced: true, wakeAt: null, createdAt: NOW });
    expect(bornWithNotice(failed)).toMatchObject({
      wakeAt: NOW + NOTICE_GRACE_MS,
      outbox: { dueAt: NOW, lifeWakeAt: null, notices: [notice('failed', 1, ['topic'])] },
    });
    const silent = sampleJob({ state: 'failed', wakeAt: null });
    expect(bornWithNotice(silent)).toEqual(silent);
  });
});

describe('when it is tried', () => {
  test.each([0, 1])('ten times, on the schedule of the standard, jitter %d; then no more', (random) => {
    const ended = finish(claim(hooked(ENDS)));
    let [job, nowMs] = [ended, NOW];
    const pauses: number[] = [];
    for (let n = 1; n <= NOTICE_TRIES_MOST; n++) {
      const taken = take(job, nowMs);
      // The try is counted before it is made, and its end is looked at.
      expect(taken.outbox).toMatchObject({ tries: n, dueAt: nowMs + LEASE_MS, wakeAt: nowMs + LEASE_MS });
      expect(refusalOf(taken, { type: 'take-notices', nowMs: nowMs + LEASE_MS - 1, token: 't', leaseMs: 1 })).toBe(
        'leased',
      );
      job = tell(taken, nowMs + 7, { tried: [failure(ended)], random });
      if (!job.outbox) break;
      expect(job.wakeAt).toBe(job.outbox.dueAt);
      expect(refusalOf(job, { type: 'take-notices', nowMs: job.outbox.dueAt - 1, token: 't', leaseMs: 1 })).toBe(
        'not-due',
      );
      pauses.push(job.outbox.dueAt - nowMs - 7);
      nowMs = job.outbox.dueAt;
    }
    const [second, minute, hour] = [1_000, 60_000, 3_600_000];
    const standard = [5 * second, 5 * minute, 30 * minute, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * hour)];
    expect(NOTICE_PAUSES_MS).toEqual(standard);
    expect(pauses).toEqual(standard.map((ms) => ms * (1 + 0.2 * random)));
    expect(job).toMatchObject({ wakeAt: null, deliveries: { length: NOTICE_TRIES_MOST } });
    expect(job).not.toHaveProperty('outbox');
    expect(refusalOf(job, { type: 'take-notices', nowMs, token: 't', leaseMs: 1 })).toBe('done');
  });

  test('a try whose end nobody wrote down counts: after ten it is given up, and its owner sees that', () => {
    let [job, nowMs] = [finish(claim(hooked(ENDS))), NOW];
    for (let n = 1; n <= NOTICE_TRIES_MOST; n++, nowMs += LEASE_MS) job = take(job, nowMs, `teller ${n}`);
    expect(refusalOf(job, toldAt(nowMs))).toBe('lease-lost');
    const left = take(job, nowMs);
    expect(left).not.toHaveProperty('outbox');
    expect(left).toMatchObject({ wakeAt: null, deliveries: [{ type: 'completed', version: 3, failure: 'network' }] });
    expect(changed(left, { type: 'tell-again', nowMs }).outbox?.notices).toEqual([notice('completed', 3)]);
  });

  test.each([
    [1_000, 5_000],
    [60_000, 60_000],
    [10 * DAY_MS, DAY_MS],
  ])('a receiver that asks for %d ms has %d', (retryAfterMs, dueInMs) => {
    const ended = finish(claim(hooked(ENDS)));
    const job = tell(take(ended), NOW + 5, { tried: [failure(ended)], retryAfterMs });
    expect(job.outbox?.dueAt).toBe(NOW + 5 + dueInMs);
    expect(job.wakeAt).toBe(NOW + 5 + dueInMs);
  });

  test('whoever asked for patience has it for what happens meanwhile, too; the topic does not wait', () => {
    const ask = { retryAfterMs: 3_600_000 };
    const started = claim(hooked(ALL));
    const quiet = tell(take(started), NOW, { tried: [failure(started)], ...ask });
    expect(finish(quiet, NOW + 1).outbox).toMatchObject({ dueAt: NOW + 3_600_000, wakeAt: NOW + 3_600_000 });
    const both = claim(hooked(ALL, { announced: true }));
    const half = tell(take(both), NOW, { tried: [failure(both)], delivered: { webhook: [], topic: [2] }, ...ask });
    const ended = finish(half, NOW + 1);
    expect(ended.outbox).toMatchObject({ dueAt: NOW + 1, patientUntil: NOW + 3_600_000 });
    const left = tell(take(ended, NOW + 1), NOW + 2, { delivered: { webhook: [], topic: [3] } });
    expect(left.outbox).toMatchObject({ dueAt: NOW + 3_600_000 });
    // Its owner may know better.
    expect(changed(left, { type: 'tell-again', nowMs: NOW + 3 }).outbox?.dueAt).toBe(NOW + 3);
    // Also where the end came while it was told of the start.
    const late = tell(finish(take(started), NOW + 1), NOW + 2, { tried: [failure(started)], ...ask });
    expect(late.outbox).toMatchObject({ dueAt: NOW + 2 + 3_600_000, tries: 0 });
  });
});

describe('what came of a try', () => {
  const both = () => take(finish(claim(hooked(ALL))));

  test('all delivered: nothing is left but the log, and the job is looked at when its life wants it', () => {
    const ok: Delivery = { type: 'completed', version: 3, happenedAt: NOW, triedAt: NOW, ms: 4, status: 204 };
    const job = tell(both(), NOW, { delivered: { webhook: [2, 3], topic: [] }, tried: [ok] });
    expect(job).toMatchObject({ wakeAt: null, deliveries: [ok] });
    expect(job).not.toHaveProperty('outbox');
  });

  test('a newer one was taken: the older is not sent any more', () => {
    const job = tell(both(), NOW, { delivered: { webhook: [3], topic: [] }, tried: [failure(both())] });
    expect(job).not.toHaveProperty('outbox');
  });

  test('each failure of a notice is counted: so often it holds up the others', () => {
    let job = finish(claim(hooked(ALL)));
    for (let n = 1; n <= FAILURES_HOLD; n++) {
      job = tell(take(job, job.outbox?.dueAt), job.outbox?.dueAt ?? 0, { tried: [failure(job)] });
      expect(job.outbox?.notices).toMatchObject([{ failures: n }, { type: 'completed' }]);
      expect(job.outbox?.notices[1]).not.toHaveProperty('failures');
    }
  });

  test('410: nothing goes to that webhook any more, also not of what happens later; its owner can ask for it', () => {
    const gone = (job: Job): Delivery => ({ ...failure(job), failure: 'gone', status: 410 });
    const started = take(claim(hooked(ALL, { announced: true })));
    const job = tell(started, NOW, { delivered: { webhook: [], topic: [] }, tried: [gone(started)], isGone: true });
    expect(job.outbox?.notices).toMatchObject([notice('started', 2, ['topic'])]);
    const ended = finish(job, NOW + 1);
    expect(ended.outbox?.notices.map(({ to }) => to)).toEqual([['topic'], ['topic']]);
    expect(ended.deliveries).toMatchObject([
      { failure: 'gone', status: 410 },
      { type: 'completed', failure: 'gone' },
    ]);
    const again = changed(ended, { type: 'tell-again', nowMs: NOW + 2 });
    expect(again.outbox?.notices.map(({ version, to }) => [version, to])).toEqual([
      [2, ['topic']],
      [3, ['topic', 'webhook']],
    ]);
    // What came while it was told of the start goes, too.
    const meanwhile = tell(finish(take(claim(hooked(ALL)))), NOW, { tried: [gone(started)], isGone: true });
    expect(meanwhile).not.toHaveProperty('outbox');
  });

  test('the log has the newest fifty', () => {
    let job = finish(claim(hooked(ENDS)));
    for (let n = 1; n <= 60; n++) {
      job = tell(take(changed(job, { type: 'tell-again', nowMs: NOW })), NOW, { tried: [{ ...failure(job), ms: n }] });
    }
    expect(job.deliveries?.map(({ ms }) => ms)).toEqual(Array.from({ length: 50 }, (_, index) => index + 11));
  });
});

describe('the owner', () => {
  test('has the newest sent again: with its version, from the first try on; not where there is none', () => {
    const ended = finish(claim(hooked(ALL)));
    const done = tell(take(ended), NOW, {
      delivered: { webhook: [2, 3], topic: [] },
      tried: [2, 3].map((v) => ({ ...failure(ended, v), type: v === 2 ? 'started' : 'completed' }) as Delivery),
    });
    expect(newestNotice(done)).toEqual({ type: 'completed', version: 3, happenedAt: NOW });
    const again = changed(done, { type: 'tell-again', nowMs: NOW + 9 });
    expect(again.outbox).toMatchObject({ notices: [notice('completed', 3)], dueAt: NOW + 9, tries: 0 });
    expect(again).toMatchObject({ version: done.version, wakeAt: NOW + 9 + NOTICE_GRACE_MS });
    const meanwhile = changed(take(ended), { type: 'tell-again', nowMs: NOW + 9 });
    expect(meanwhile.outbox).toMatchObject({ token: 'teller', tries: 0, notices: [{ version: 2 }, { version: 3 }] });
    expect(refusalOf(hooked(ALL), { type: 'tell-again', nowMs: NOW })).toBe('done');
    expect(refusalOf(finish(claim(pending())), { type: 'tell-again', nowMs: NOW })).toBe('done');
  });

  test('deletes the job in the middle: its receiver hears no more, and nothing is written down of it; the topic does', () => {
    const taken = take(finish(claim(hooked(ALL))));
    const deleted = changed(taken, { type: 'delete', nowMs: NOW });
    for (const field of ['outbox', 'webhook', 'deliveries']) expect(deleted).not.toHaveProperty(field);
    expect(refusalOf(deleted, toldAt(NOW))).toBe('lease-lost');
    const both = changed(take(claim(hooked(ALL, { announced: true }))), { type: 'delete', nowMs: NOW });
    expect(both.outbox).toMatchObject({ token: 'teller', notices: [notice('started', 2, ['topic'])] });
    const told = tell(both, NOW, { delivered: { webhook: [2], topic: [] }, tried: [failure(both, 2)] });
    expect(told).not.toHaveProperty('deliveries');
    expect(finish(told).outbox?.notices.map(({ type, to }) => [type, to])).toEqual([
      ['started', ['topic']],
      ['cancelled', ['topic']],
    ]);
  });
});
