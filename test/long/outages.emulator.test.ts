/**
 * 100 jobs, in the middle of which Firestore is frozen, then cut off, and Pub/Sub is restarted empty: what was taken in
 * ends, what was not is refused in time, in words that a client can act on.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LOCAL } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { pollToEnd, type View } from '../support/http-client.ts';
import { type OutageWorld, type Submitted, startOutageWorld, submitCarefully } from '../support/outage-world.ts';

const OUTAGE_MS = 30_000;
/** The longest that a submit may wait for its answer. */
const ANSWER_MS_MOST = 10_000;
/** After the end of an outage: a connection is tried again every two seconds, and more; left alone after 13 s. */
const BACK_MS_MOST = 8_000;
/** A connection gives a sign of life every 30 s, and is given up when there is no answer within ten; left alone it is kept for a quarter of an hour. */
const DEAD_CONNECTION_MS_MOST = 50_000;
/** A doorbell that was lost is rung again by the sweeper. */
const PATIENCE_MS = 120_000;

describeOnEmulators('outages', () => {
  let world: OutageWorld;
  const sent: Promise<Submitted>[] = [];

  beforeAll(async () => {
    world = await startOutageWorld();
  });
  afterAll(async () => {
    await world?.stop();
  });

  /** Submits so many, spread over this time; half under a key, half to an id of the service's own. */
  async function submitSome(phase: string, count: number, withinMs: number): Promise<Promise<Submitted>[]> {
    const mine: Promise<Submitted>[] = [];
    for (let n = 0; n < count; n++) {
      mine.push(submitCarefully(world.baseUrl, `${phase}-${n}. [seconds=${n % 9}]`, n % 2 === 0));
      await pause(withinMs / count);
    }
    sent.push(...mine);
    return mine;
  }

  /** What was answered to those that were not taken in at once. */
  const refusalsOf = async (some: Promise<Submitted>[]) =>
    (await Promise.all(some)).flatMap(({ refusals }) => refusals);

  /** How long after an instant the first of them was taken in. */
  const firstAfter = async (instantMs: number, some: Promise<Submitted>[]) =>
    Math.min(...(await Promise.all(some)).map(({ takenMs }) => takenMs).filter((takenMs) => takenMs > instantMs)) -
    instantMs;

  const everyJob = async () =>
    (await world.unheard.service.list(LOCAL, { limit: 200, offset: 0 })).jobs.map(({ job }) => job.id);

  test('100 jobs live through a frozen store, a store that is cut off, and a Pub/Sub that forgot everything', async () => {
    const warmUps = (await everyJob()).length;
    await submitSome('before', 20, 2_000);

    world.firestore.signal('SIGSTOP');
    const frozen = await submitSome('frozen', 20, OUTAGE_MS);
    const thawedMs = performance.now();
    world.firestore.signal('SIGCONT');
    const thawed = await submitSome('thawed', 10, 2_000);

    world.wire.cut();
    const cutOff = await submitSome('cut', 20, OUTAGE_MS);
    const healedMs = performance.now();
    world.wire.open();
    const healed = await submitSome('healed', 10, 2_000);
    // Until then what is refused is refused for the store's sake.
    await Promise.all([...cutOff, ...healed]);

    const restarting = world.restartPubsub();
    const forgotten = await submitSome('forgotten', 10, 2_000);
    await restarting;
    await submitSome('remembered', 10, 5_000);

    const all = await Promise.all(sent);
    // The faults happened, …
    expect((await refusalsOf(frozen)).length).toBeGreaterThan(0);
    expect((await refusalsOf(cutOff)).length).toBeGreaterThan(0);
    expect(world.lines.join('\n')).toContain('Subscription does not exist (resource=llm-jobs-worker)');
    expect(world.logged('doorbell-unpublished').length).toBeGreaterThan(0);
    // … and each answer came in time, in words that a client can act on.
    expect(Math.max(...all.map(({ slowestMs }) => slowestMs))).toBeLessThan(ANSWER_MS_MOST);
    for (const { status, retryAfter, jobId } of all.flatMap(({ refusals }) => refusals)) {
      expect({ status, retryAfter, jobId }).toEqual({ status: 503, retryAfter: '1', jobId: expect.any(String) });
    }
    expect(await firstAfter(thawedMs, [...frozen, ...thawed])).toBeLessThan(BACK_MS_MOST);
    expect(await firstAfter(healedMs, [...cutOff, ...healed])).toBeLessThan(BACK_MS_MOST);
    expect(await refusalsOf(forgotten)).toEqual([]);

    const views = await Promise.all(all.map(({ jobId }) => pollToEnd(world.baseUrl, jobId, PATIENCE_MS)));
    expect(views.filter(({ status }) => status !== 'completed')).toEqual([]);
    for (const [index, { prompt }] of all.entries()) {
      expect(world.provider.callsAbout(prompt)).toBeLessThanOrEqual(recordedCalls(views[index]));
    }
    // Nothing was made twice, whatever its submitter had to repeat.
    expect(new Set(all.map(({ jobId }) => jobId)).size).toBe(100);
    const ids = await everyJob();
    for (const { jobId } of all) expect(ids).toContain(jobId);
    expect(ids).toHaveLength(100 + warmUps);
  });

  test('connections that died without a word are found out', async () => {
    const strandedMs = performance.now();
    world.wire.strand();
    const submitted = await submitCarefully(world.baseUrl, 'stranded', true);
    expect(submitted.refusals.length).toBeGreaterThan(0);
    expect(submitted.slowestMs).toBeLessThan(ANSWER_MS_MOST);
    expect(await firstAfter(strandedMs, [Promise.resolve(submitted)])).toBeLessThan(DEAD_CONNECTION_MS_MOST);
    expect(await pollToEnd(world.baseUrl, submitted.jobId, PATIENCE_MS)).toMatchObject({ status: 'completed' });
    expect(world.provider.callsAbout('stranded')).toBe(1);
  });
});

const recordedCalls = (view: View | undefined) => (view?.attempts ?? []).reduce((sum, { calls }) => sum + calls, 0);
