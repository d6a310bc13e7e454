/** A job with an outbox lives as it would without one, and somebody looks whenever either of them wants it (R07). */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EventOf, JobEvent } from '../../shared/core/events.ts';
import { applyChanges, type Job } from '../../shared/core/job.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { DEFAULT_LIMITS } from '../../shared/core/limits.ts';
import { type Delivery, NOTICE_TYPES, type NoticeType, type PendingNotice } from '../../shared/core/notices.ts';
import { NOTICE_GRACE_MS, ringAgain, takenOver, withoutOutbox } from '../../shared/core/outbox.ts';
import { NOTICE_TRIES_MOST, newestNotice } from '../../shared/core/outbox-tries.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_100_000;
const LEASE_MS = 60_000;
const TELLING_MS = 45_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const outbox = (over: Partial<NonNullable<Job['outbox']>> = {}) => ({
  notices: [{ type: 'started', version: 2, happenedAt: NOW, to: ['webhook'] } satisfies PendingNotice],
  ...{ dueAt: NOW, wakeAt: NOW, lifeWakeAt: null, tries: 1, rings: 0, ...over },
});
const job = (over: Partial<Job>) => sampleJob({ webhook: { url: 'https://a.example', events: ['started'] }, ...over });
const wake: JobEvent = { type: 'wake', nowMs: NOW, storedAtMs: NOW - 1_000, random: 0 };
const held = { state: 'processing', attempt: 1, token: 'held', holder: 'w' } as const;

function woken(asleep: Job): Job {
  const { changes, refused } = transition(asleep, wake);
  expect(refused).toBeUndefined();
  return applyChanges(asleep, changes ?? {});
}

describe('a wake that is about the outbox alone: rung, later each time, and the life of the job is as it was', () => {
  const lives: [string, Job][] = [
    ['over', job({ state: 'completed', wakeAt: NOW, outbox: outbox() })],
    ['deleted', job({ state: 'cancelled', deletedAt: NOW - 1, wakeAt: NOW, outbox: outbox(), webhook: undefined })],
    ['held', job({ ...held, leaseExpiresAt: NOW + 9, wakeAt: NOW, outbox: outbox({ lifeWakeAt: NOW + 1_009 }) })],
    ['waiting', job({ ...held, nextAttemptAt: NOW + 9, wakeAt: NOW, outbox: outbox({ lifeWakeAt: NOW + 9 }) })],
    ['parked', job({ ...held, parkedFor: 'm', parkedAt: NOW, wakeAt: NOW, outbox: outbox({ lifeWakeAt: NOW + 9 }) })],
    [
      'to be emptied',
      job({
        state: 'failed',
        store: false,
        payloadsExpireAt: NOW + 9,
        wakeAt: NOW,
        outbox: outbox({ lifeWakeAt: NOW + 9 }),
      }),
    ],
  ];
  test.each(lives)('%s', (_, asleep) => {
    const next = woken(asleep);
    expect({ ...next, outbox: 0, wakeAt: 0 }).toEqual({ ...asleep, outbox: 0, wakeAt: 0 });
    expect(next.outbox).toEqual({ ...asleep.outbox, rings: 1, wakeAt: NOW + MINUTE_MS });
    expect(next.wakeAt).toBe(asleep.outbox?.lifeWakeAt ?? NOW + MINUTE_MS);
    expect(transition(next, wake).refused).toBeDefined();
  });

  test('what a worker of an older version wrote, which knows no outbox, is believed', () => {
    const renewed = job({
      ...held,
      leaseExpiresAt: NOW + 60_000,
      wakeAt: NOW + 61_000,
      outbox: outbox({ lifeWakeAt: NOW - 1 }),
    });
    expect(withoutOutbox(renewed).wakeAt).toBe(NOW + 61_000);
    const ended = job({ state: 'completed', wakeAt: null, outbox: outbox({ lifeWakeAt: NOW - 1 }) });
    expect(withoutOutbox(ended).wakeAt).toBeNull();
    expect(withoutOutbox(job({ ...held, wakeAt: NOW, outbox: outbox({ lifeWakeAt: NOW + 9 }) })).wakeAt).toBe(NOW + 9);
  });

  test('ring k comes min(2^k, 15) minutes after the one before; a try begins that anew', () => {
    let asleep = job({ state: 'completed', wakeAt: NOW, outbox: outbox() });
    const pauses: number[] = [];
    for (let k = 0; k < 6; k++) {
      const nowMs = asleep.wakeAt ?? 0;
      asleep = applyChanges(asleep, transition(asleep, { ...wake, nowMs } as JobEvent).changes ?? {});
      pauses.push(((asleep.wakeAt ?? 0) - nowMs) / MINUTE_MS);
    }
    expect(pauses).toEqual([1, 2, 4, 8, 15, 15]);
    const taken = transition(asleep, { type: 'take-notices', nowMs: NOW, token: 't', leaseMs: TELLING_MS });
    expect(taken.changes?.outbox).toMatchObject({ rings: 0, tries: 2 });
  });

  test('a document of a newer version is not ours to change', () => {
    const newer = job({ state: 'frozen' as Job['state'], wakeAt: NOW, outbox: outbox() });
    expect(transition(newer, wake).refused).toBe('newer-version');
    expect(transition(newer, { type: 'take-notices', nowMs: NOW, token: 't', leaseMs: 1 }).refused).toBe(
      'newer-version',
    );
  });
});

test('a wake that is about both rings for both, one that ends the job rings for its news', () => {
  const due = job({ ...held, wakeAt: NOW, outbox: outbox({ lifeWakeAt: NOW }) });
  expect(woken(due)).toMatchObject({ rings: 1, outbox: { rings: 1, wakeAt: NOW + MINUTE_MS } });
  const late = { ...due, limits: { ...DEFAULT_LIMITS, timeoutMs: 500 }, announced: true as const };
  expect(woken(late)).toMatchObject({
    ...{ state: 'failed', error: { code: 'job_timeout' }, wakeAt: NOW + NOTICE_GRACE_MS },
    outbox: { notices: [{ type: 'started' }, { type: 'failed' }], rings: 0, tries: 0, lifeWakeAt: null },
  });
});

test('a ring that failed counts for none, of whichever of the two it was', () => {
  const both = job({ ...held, wakeAt: NOW, rings: 3, outbox: outbox({ lifeWakeAt: NOW, rings: 4 }) });
  const rung = woken(both);
  expect(rung).toMatchObject({ rings: 4, outbox: { rings: 5 } });
  const again = applyChanges(rung, ringAgain(both, rung, NOW, true));
  expect(again).toMatchObject({ rings: 3, wakeAt: NOW + 30_000 });
  expect(again.outbox).toMatchObject({ rings: 4, wakeAt: NOW + 30_000, lifeWakeAt: NOW + 30_000 });
  const quiet = job({
    ...held,
    leaseExpiresAt: NOW + HOUR_MS,
    wakeAt: NOW,
    outbox: outbox({ lifeWakeAt: NOW + HOUR_MS }),
  });
  const alone = applyChanges(woken(quiet), ringAgain(quiet, woken(quiet), NOW, false));
  expect(alone).toEqual({ ...quiet, wakeAt: NOW + 30_000, outbox: { ...quiet.outbox, wakeAt: NOW + 30_000 } });
  // Rung for its life alone: its webhook's next try is in an hour, and nobody is rung for that before.
  const patient = outbox({ dueAt: NOW + HOUR_MS, wakeAt: NOW + HOUR_MS, lifeWakeAt: NOW });
  const due = job({ ...held, wakeAt: NOW, outbox: patient });
  const later = applyChanges(woken(due), ringAgain(due, woken(due), NOW, true));
  expect(later).toMatchObject({ rings: due.rings, wakeAt: NOW + 30_000, outbox: { wakeAt: NOW + HOUR_MS, rings: 0 } });
});

test('after the end of the only process nobody holds the job, and nobody tells', () => {
  const leased = { ...held, leaseExpiresAt: NOW + LEASE_MS };
  const telling = outbox({ token: 't', dueAt: NOW + 9_000, wakeAt: NOW + 9_000, lifeWakeAt: NOW + LEASE_MS });
  const free = applyChanges(job({ ...leased, outbox: telling }), takenOver(job({ ...leased, outbox: telling }), NOW));
  expect(free).toMatchObject({
    leaseExpiresAt: NOW,
    wakeAt: NOW,
    outbox: { dueAt: NOW, wakeAt: NOW, lifeWakeAt: NOW, tries: 1 },
  });
  expect(free.outbox).not.toHaveProperty('token');
  // Who waits for the next try goes on waiting.
  const waiting = job({
    state: 'failed',
    wakeAt: NOW + 9_000,
    outbox: outbox({ dueAt: NOW + 9_000, wakeAt: NOW + 9_000 }),
  });
  expect(applyChanges(waiting, takenOver(waiting, NOW))).toEqual(waiting);
  const plain = job({ ...leased });
  expect(applyChanges(plain, takenOver(plain, NOW))).toEqual({ ...plain, leaseExpiresAt: NOW, wakeAt: NOW });
});

describe('over any sequence of events', () => {
  const LIFE = [
    ...['claim', 'renew', 'stage', 'retry', 'hand-back', 'attach', 'detach', 'complete', 'fail', 'cancel', 'delete'],
    ...['read', 'redrive', 'wake', 'park', 'promote', 'deny', 'defer', 'reuse'],
  ] as const;
  const STORMY: readonly string[] = LIFE.filter((type) => !['claim', 'renew', 'complete', 'fail'].includes(type));
  const TELLING = ['take', 'told', 'tell-again'] as const;
  const step = fc.record({
    type: fc.oneof(
      ...[
        { weight: 3, arbitrary: fc.constantFrom(...LIFE) },
        { weight: 1, arbitrary: fc.constant('claim' as const) },
      ],
      { weight: 4, arbitrary: fc.constantFrom('take' as const, 'told' as const, 'take' as const, ...TELLING) },
    ),
    /** Mostly whoever has the right to. */
    token: fc.constantFrom(undefined, undefined, undefined, 'a', 'b'),
    afterMs: fc.oneof(fc.nat(5_000), fc.nat(5_000), fc.nat(90_000), fc.nat(24 * HOUR_MS)),
    random: fc.float({ min: 0, max: 1, noNaN: true }),
    /** What a receiver says to the notices, in their order. */
    answers: fc.array(fc.constantFrom('ok', 'ok', 'no', 'gone', 'patience'), { minLength: 2, maxLength: 2 }),
    isPublished: fc.boolean(),
  });
  const asked = fc.record({
    events: fc.constantFrom<NoticeType[] | undefined>([...NOTICE_TYPES], [...NOTICE_TYPES], ['failed'], undefined),
    isAnnounced: fc.boolean(),
    isKept: fc.boolean(),
    isCalm: fc.boolean(),
    timeoutMs: fc.integer({ min: 1_000, max: 48 * HOUR_MS }),
  });

  test('its life is field for field what it is without; exactly the states that it had are told, never an older one after a newer', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40, size: 'max' }),
        asked,
        (steps, { events, isAnnounced, isKept, isCalm, timeoutMs }) => {
          const limits = { ...DEFAULT_LIMITS, timeoutMs, startWithinMs: timeoutMs };
          let plain = sampleJob({ wakeAt: NOW, limits, store: isKept ? undefined : false });
          const webhook = events && { url: 'https://a.example', events };
          let told = applyChanges(plain, { webhook, announced: isAnnounced ? true : undefined });
          const had: { type: NoticeType; version: number }[] = [];
          /** What each of the two was told, or may have been. */
          const heard = { webhook: [] as number[], topic: [] as number[] };
          let nowMs = NOW;
          for (const { type: given, token: by, afterMs, random, answers, isPublished } of steps) {
            nowMs += isCalm ? afterMs % 20_000 : afterMs;
            // Somebody has to be at it; and in half of the runs nothing but that happens for long.
            const happens = isCalm && STORMY.includes(given) && random < 0.9 ? 'take' : given;
            const type = happens === 'told' && told.outbox?.token === undefined ? 'take' : happens;
            const token = by ?? (type === 'told' ? told.outbox?.token : told.token) ?? 'a';
            if (type === 'take' || type === 'told' || type === 'tell-again') {
              const before = told;
              const event = tellingEvent(type, token, nowMs, random);
              const decision = transition(told, event);
              if (decision.refused) continue;
              told = applyChanges(told, decision.changes);
              expectSame(alone(told), alone(before));
              expect(told.outbox?.tries ?? 0).toBeLessThanOrEqual(NOTICE_TRIES_MOST);
            } else {
              const event = lifeEvent(type, token, nowMs, random);
              const [wanted, decision] = [transition(plain, event), transition(told, event)];
              const isOwn = type === 'wake' && wanted.refused !== undefined && decision.changes !== undefined;
              if (isOwn) expect(Object.keys(decision.changes ?? {}).sort()).toEqual(['outbox', 'wakeAt']);
              else expect(decision.refused).toBe(wanted.refused);
              const state = plain.state;
              plain = applyChanges(plain, wanted.changes ?? {});
              told = applyChanges(told, decision.changes ?? {});
              if (plain.state !== state) had.push({ type: typeOf(plain.state), version: plain.version });
            }
            expectSame(alone(told), plain);
            const { outbox } = told;
            const looks = [plain.wakeAt, outbox?.wakeAt].filter((at) => at != null);
            expect(told.wakeAt).toBe(looks.length > 0 ? Math.min(...looks) : null);
            const versions = outbox?.notices.map(({ version }) => version) ?? [];
            expect(versions).toEqual([...new Set(versions)].sort((one, other) => one - other));
            for (const notice of outbox?.notices ?? []) {
              expect(had).toContainEqual({ type: notice.type, version: notice.version });
              expect(notice.to.length).toBeGreaterThan(0);
              if (notice.to.includes('webhook')) expect(told.webhook?.events).toContain(notice.type);
              if (notice.to.includes('webhook'))
                expect(notice.version).toBeGreaterThanOrEqual(Math.max(0, ...heard.webhook));
            }
            if (told.deletedAt !== undefined)
              for (const gone of ['webhook', 'deliveries']) expect(told).not.toHaveProperty(gone);

            function tellingEvent(what: typeof type, by: string, atMs: number, chance: number): JobEvent {
              if (what === 'take') return { type: 'take-notices', nowMs: atMs, token: by, leaseMs: TELLING_MS };
              if (what === 'tell-again') return { type: what, nowMs: atMs };
              return toldEvent(by, atMs, chance);
            }

            /** With what the receiver says; after a failure whoever tells goes on, or not. */
            function toldEvent(by: string, atMs: number, chance: number): EventOf<'told'> {
              const tried: Delivery[] = [];
              const delivered = { webhook: [] as number[], topic: [] as number[] };
              let [retryAfterMs, isGone] = [0, false];
              const mine = told.outbox?.token === by ? told.outbox.notices : [];
              const called = mine.filter(({ to }) => to.includes('webhook'));
              for (const [index, { to: _, ...notice }] of called.entries()) {
                const said = answers[index] ?? 'no';
                const failure = said === 'ok' ? undefined : said === 'gone' ? 'gone' : 'status';
                tried.push({
                  type: notice.type,
                  version: notice.version,
                  happenedAt: 0,
                  triedAt: atMs,
                  ms: 0,
                  failure,
                });
                if (said === 'ok') delivered.webhook.push(notice.version);
                if (said === 'ok') expect(notice.version).toBeGreaterThanOrEqual(Math.max(0, ...heard.webhook));
                if (said === 'ok') heard.webhook.push(notice.version);
                retryAfterMs = said === 'patience' ? HOUR_MS : 0;
                isGone = said === 'gone';
                if (isGone || said === 'patience' || (said === 'no' && chance < 0.5)) break;
              }
              if (isPublished)
                delivered.topic = mine.filter(({ to }) => to.includes('topic')).map((one) => one.version);
              heard.topic.push(...delivered.topic);
              return { type: 'told', nowMs: atMs, token: by, random: chance, delivered, tried, retryAfterMs, isGone };
            }
          }
          // Nothing is told twice over the topic but what was not written down; here all is.
          expect(heard.topic).toEqual([...new Set(heard.topic)].sort((one, other) => one - other));
          if (told.webhook) expect(newestNotice(told)?.version ?? 0).toBe(newestOf(had, told.webhook.events));
        },
      ),
      { numRuns: 700 },
    );
  });

  const newestOf = (had: { type: NoticeType; version: number }[], events: NoticeType[]) =>
    Math.max(0, ...had.filter(({ type }) => events.includes(type)).map(({ version }) => version));

  /** As `toEqual`, and ten times faster. */
  function expectSame(one: Job, other: Job): void {
    if (!isDeepStrictEqual(one, other)) expect(one).toEqual(other);
  }

  /** The job as it would be had nobody to be told. */
  function alone(job: Job): Job {
    const { outbox: _, deliveries: __, webhook: ___, announced: ____, ...life } = withoutOutbox(job);
    return life as Job;
  }

  function typeOf(state: Job['state']): NoticeType {
    return state === 'processing' ? 'started' : (state as NoticeType);
  }

  function lifeEvent(type: (typeof LIFE)[number], token: string, nowMs: number, random: number): JobEvent {
    const now = { nowMs, storedAtMs: NOW };
    const by = { ...now, token };
    const ended = { outcome: 'failed', errorCode: 'overloaded', counts: 'failures' } as const;
    switch (type) {
      case 'claim':
        return { type, ...by, leaseMs: LEASE_MS, holder: `worker of ${token}`, stage: 's' };
      case 'renew':
        return { type, ...by, leaseMs: LEASE_MS };
      case 'stage':
        return { type, ...by, leaseMs: LEASE_MS, stage: `stage ${random}` };
      case 'retry':
        return { type, ...by, leaseMs: LEASE_MS, ended, nextAttemptAt: nowMs + random * MINUTE_MS };
      case 'hand-back':
        return { type, ...by, ended, nextAttemptAt: nowMs + random * HOUR_MS };
      case 'attach':
        return { type, ...by, leaseMs: LEASE_MS, upstream: { id: 'u', looks: 0 } };
      case 'detach':
        return { type, ...by, upstream: { id: 'u', looks: 1 }, nextLookAt: nowMs + random * HOUR_MS };
      case 'complete':
        return { type: 'finish', ...by, outcome: { state: 'completed', result: 1 } };
      case 'fail':
        return { type: 'finish', ...by, outcome: { state: 'failed', error: { code: 'auth', message: '' } } };
      case 'park':
        return { type, ...now, parkedFor: 'm' };
      case 'promote':
        return { type, ...now, slotUntil: nowMs + MINUTE_MS };
      case 'deny':
        return { type, ...now, error: { code: 'insufficient_credits', message: '' } };
      case 'defer':
        return { type, ...now, nextAttemptAt: nowMs + random * HOUR_MS };
      case 'reuse':
        return { type, ...now, answer: { id: 'equal', completedAt: NOW }, result: 1 };
      case 'redrive':
        return { type, nowMs, redrivenAs: 'anew' };
      case 'cancel':
      case 'delete':
      case 'read':
        return { type, nowMs };
      case 'wake':
        return { type, ...now, random };
    }
  }
});
