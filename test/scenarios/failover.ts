/** Failover along the routes of a job, P01 with fallbacks, P08: a route that is down for all, and all routes. */
import { expect } from 'vitest';
import { FAILURES_TO_OPEN, OPEN_LEAST_MS } from '../../shared/core/breaker.ts';
import { type FailureCode, ServiceError } from '../../shared/core/errors.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import { answer, type ProviderCall, resultOf } from './provider-double.ts';
import { runAll } from './slots.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const OWN = 'simulated';
const OTHER = 'gpt-4o';
const FALLBACKS = { fallbacks: [OTHER] };

type Failure = [code: FailureCode, retryAfterMs?: number];

function fails(code: FailureCode, retryAfterMs?: number): never {
  throw new ServiceError(code, 'failed by the test', retryAfterMs === undefined ? {} : { retryAfterMs });
}

/** The calls of a model fail so, one after the other; what comes then is answered. */
function failing(plan: Readonly<Record<string, readonly Failure[]>>) {
  const made = new Map<string, number>();
  return async function* (call: ProviderCall): AsyncIterable<LlmPart> {
    const { model } = call.request;
    const nth = made.get(model) ?? 0;
    made.set(model, nth + 1);
    const failure = plan[model]?.[nth];
    if (failure) fails(...failure);
    yield* answer(call);
  };
}

/** These models fail, however often they are called. */
const down = (models: ReadonlySet<string>) =>
  async function* (call: ProviderCall): AsyncIterable<LlmPart> {
    if (models.has(call.request.model)) fails('overloaded');
    yield* answer(call);
  };

const modelsCalled = (world: World, job: Job) => world.callsOf(job).map(({ request }) => request.model);
const story = ({ attempts }: Job) => attempts.map(({ model, outcome, errorCode }) => [model, outcome, errorCode]);
const callsTo = (world: World, model: string) =>
  world.provider.calls().filter(({ request }) => request.model === model);

/** What a minute of sweeps and doorbells does. */
async function sweepUntil(world: World, jobs: readonly Job[], mostMs: number): Promise<WorkOutcome[]> {
  const outcomes: WorkOutcome[] = [];
  for (let passedMs = 0; passedMs < mostMs; passedMs += 2_000) {
    await world.pass(2_000);
    await world.until(world.main.sweep());
    outcomes.push(...(await world.deliverRung()));
    const states = await Promise.all(jobs.map(async (job) => (await world.read(job)).state));
    if (states.every(isTerminal)) return outcomes;
  }
  throw new Error('they did not end');
}

export function failoverScenarios(open: Open): void {
  scenario(
    open,
    'a 500, 429s and a timeout in turn on the primary: the fallback answers, in as many calls as planned',
    async (world) => {
      world.provider.answerWith(
        failing({ [OWN]: [['provider_error'], ['rate_limited'], ['rate_limited', 1_000], ['timeout']] }),
      );
      const job = await world.submit(FALLBACKS);
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      const ended = await world.read(job);
      expect(story(ended)).toEqual([
        [OWN, 'failed', 'provider_error'],
        [OWN, 'failed', 'rate_limited'],
        [OWN, 'failed', 'rate_limited'],
        [OWN, 'failed', 'timeout'],
        [OTHER, 'completed', undefined],
      ]);
      expect(ended.attempts.map(({ provider, calls }) => [provider, calls])).toEqual([
        ...Array(4).fill(['simulated', 1]),
        ['openai', 1],
      ]);
      expect(modelsCalled(world, job)).toEqual([OWN, OWN, OWN, OWN, OTHER]);
      expect(ended).toMatchObject({ result: resultOf(5), route: 1, model: { model: OWN }, failures: 2, refusals: 2 });
      const [, , third, fourth] = world.callsOf(job);
      expect((fourth?.atMs ?? 0) - (third?.atMs ?? 0)).toBeGreaterThanOrEqual(1_000);
    },
    // So long that a machine that is busy does not lose it.
    { leaseMs: 60_000 },
  );

  scenario(
    open,
    'it stays where it went, and comes back when that fails, too; then it fails with the last error',
    async (world) => {
      world.provider.answerWith(down(new Set([OWN, OTHER])));
      const job = await world.submit(FALLBACKS);
      await world.deliver(job);
      while (!isTerminal((await world.read(job)).state)) {
        await world.makeDue(job);
        await world.deliver(job, world.instance());
      }
      const called = modelsCalled(world, job);
      expect(called.slice(0, 4)).toEqual([OWN, OWN, OTHER, OTHER]);
      // Five calls on each: as many as the policy allows a route.
      expect(called.filter((model) => model === OWN)).toHaveLength(5);
      expect(called.filter((model) => model === OTHER)).toHaveLength(5);
      expect(await world.read(job)).toMatchObject({ state: 'failed', error: { code: 'overloaded' }, attempt: 10 });
    },
  );

  scenario(
    open,
    'a fallback with a wrong key, and a primary that asks for a minute: the job completes on the primary, later',
    async (world) => {
      world.provider.answerWith(failing({ [OWN]: [['rate_limited', 60_000]], [OTHER]: [['auth'], ['auth']] }));
      const job = await world.submit(FALLBACKS);
      expect(await world.deliver(job)).toEqual({ handedBack: 'auth' });
      const { nextAttemptAt = 0, ...waiting } = await world.read(job);
      const [first] = waiting.attempts;
      expect(nextAttemptAt - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(60_000);
      expect(waiting).toMatchObject({ state: 'processing', stage: 'waiting', route: 0, tries: [{}, { isOut: true }] });
      expect(await world.main.run(job)).toEqual({ refused: 'not-due' });
      // Another process, which was told nothing by any provider, goes by what is stored with the job.
      const other = world.instance();
      const [own] = waiting.tries ?? [];
      await world.poke(job, { nextAttemptAt: 1 });
      expect(await world.deliver(job, other)).toEqual({ refused: 'deferred' });
      expect(own?.retryAt).toBeGreaterThanOrEqual((first?.endedAt ?? 0) + 60_000);
      expect((await world.read(job)).nextAttemptAt).toBeGreaterThanOrEqual(own?.retryAt ?? Infinity);
      expect(modelsCalled(world, job)).toEqual([OWN, OTHER]);
      await world.makeDue(job);
      expect(await world.deliver(job, other)).toEqual({ finished: 'completed' });
      expect(modelsCalled(world, job)).toEqual([OWN, OTHER, OWN]);
      expect(story(await world.read(job)).at(-1)).toEqual([OWN, 'completed', undefined]);
      if (!world.isVirtual) return;
      const [refused, , again] = world.callsOf(job);
      expect((again?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(60_000);
    },
  );

  scenario(
    open,
    'P01 a wait of 20 s: another route at once; nothing is left of the primary to wait for',
    async (world) => {
      world.provider.answerWith(failing({ [OWN]: [['rate_limited', 20_000]] }));
      const job = await world.submit(FALLBACKS);
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(modelsCalled(world, job)).toEqual([OWN, OTHER]);
      const [first, second] = world.callsOf(job);
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeLessThan(world.isVirtual ? 1 : 1_000);
      // Everybody in this process leaves it alone now, …
      const next = await world.submit(FALLBACKS);
      await world.deliver(next);
      expect(modelsCalled(world, next)).toEqual([OTHER]);
      // … and who has no other route is put off, without an attempt.
      const alone = await world.submit();
      expect(await world.deliver(alone)).toEqual({ refused: 'deferred' });
      expect(await world.read(alone)).toMatchObject({ state: 'pending', attempt: 0, attempts: [] });
      expect((await world.read(alone)).nextAttemptAt).toBeGreaterThan((await world.read(alone)).createdAt + 15_000);
      expect(world.callsOf(alone)).toHaveLength(0);
      expect(await world.main.run(alone)).toEqual({ refused: 'not-due' });
      await world.makeDue(alone);
      expect(await world.main.sweep()).toMatchObject({ rung: 1 });
      expect(await world.deliver(alone, world.instance())).toEqual({ finished: 'completed' });
      expect(await world.read(alone)).toMatchObject({ attempt: 1 });
    },
  );

  scenario(
    open,
    'an answer that cannot be used is mended by its own model, and given up for another, which is asked anew',
    async (world) => {
      const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };
      world.provider.answerWith(async function* (call) {
        yield { type: 'accepted' };
        yield { type: 'text-delta', text: call.request.model === OWN ? '{"n":"one"}' : '{"n":1}' };
        yield { type: 'usage', usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } };
        yield { type: 'finish', reason: 'stop' };
      });
      const input = { prompt: 'A number.', response_schema: schema };
      const job = await world.submit({ ...FALLBACKS, input });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      const called = modelsCalled(world, job);
      expect(called.at(-1)).toBe(OTHER);
      expect(called.filter((model) => model === OTHER)).toHaveLength(1);
      const sizes = world.callsOf(job).map(({ request }) => request.messages.length);
      expect(sizes.at(-1)).toBe(sizes[0]);
      if (called.length > 2) expect(sizes[1]).toBeGreaterThan(sizes[0] ?? 0);
    },
  );

  scenario(
    open,
    'slots: a job that fails over takes a slot of the other model, and gives the first one back',
    async (world) => {
      world.provider.answerWith((call) =>
        call.request.model === OWN ? down(new Set([OWN]))(call) : world.provider.held(call),
      );
      const first = await world.submit({ fallbacks: [OTHER] });
      expect(await world.deliver(first)).toEqual({ handedBack: 'overloaded' });
      expect(await world.read(first)).toMatchObject({ route: 1, leaseExpiresAt: null });
      // Its doorbell was rung at once.
      expect(world.published(first)).toBe(2);
      const running = await inCall(world, first, world.main);
      const slots = () => world.ground.slots('default');
      expect((await slots()).running).toMatchObject({ [first.id]: { model: OTHER } });
      const second = await world.submit({ fallbacks: [OTHER] });
      await world.deliver(second, world.instance());
      expect(await world.deliver(second)).toEqual({ refused: 'parked' });
      expect(await world.read(second)).toMatchObject({ parkedFor: OTHER, route: 1 });
      world.provider.open('job 1', 3);
      expect(await world.until(running.outcome)).toEqual({ finished: 'completed' });
      await world.eventually(async () => (await slots()).running[second.id] !== undefined);
      expect((await slots()).running).toMatchObject({ [second.id]: { model: OTHER } });
      world.provider.open('job 2', 3);
      expect(await world.deliver(second)).toEqual({ finished: 'completed' });
      expect(await slots()).toMatchObject({ running: {}, expired: [] });
    },
    {
      limits: new Map([
        [OTHER, 1],
        [OWN, 1],
      ]),
      leaseMs: 60_000,
    },
  );

  scenario(
    open,
    'a crash between a failed attempt and its failover: the next worker goes on from what is stored',
    async (world) => {
      world.provider.answerWith(failing({ [OWN]: [['auth']], [OTHER]: [['network']] }));
      const job = await world.submit(FALLBACKS);
      const victim = world.instance();
      victim.store.fail('update', 'crash-after', { skip: 1 });
      victim.run(job).catch(() => {});
      await world.eventually(() => victim.store.fired('crash-after') === 1);
      await world.eventually(async () => (await world.read(job)).attempt === 2);
      await world.makeDue(job);
      expect(await world.main.sweep()).toMatchObject({ rung: 1 });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(story(await world.read(job))).toEqual([
        [OWN, 'failed', 'auth'],
        [OTHER, 'lost', 'lease_lost'],
        [OTHER, 'failed', 'network'],
        [OTHER, 'completed', undefined],
      ]);
    },
  );
}

/** P08, over minutes. */
export function outageScenarios(open: Open): void {
  scenario(
    open,
    'B05 jobs that fail over: the limits of both models hold, and no slot is left',
    async (world) => {
      const underWay = new Map<string, number>();
      const most = new Map<string, number>();
      world.provider.answerWith(async function* (call) {
        const { model } = call.request;
        const now = (underWay.get(model) ?? 0) + 1;
        underWay.set(model, now);
        most.set(model, Math.max(most.get(model) ?? 0, now));
        try {
          await sleep(world.clock, 200 + ((call.nth * 37 + call.prompt.length * 91) % 400));
          if (model === OWN && Number(call.prompt.slice(4)) % 2 === 0) fails('overloaded');
          yield* answer(call);
        } finally {
          underWay.set(model, (underWay.get(model) ?? 0) - 1);
        }
      });
      const jobs: Job[] = [];
      for (let n = 0; n < 40; n++) jobs.push(await world.submit(FALLBACKS));
      await runAll(world, jobs);
      const ended = await world.jobs();
      expect(ended.map(({ state }) => state)).toEqual(jobs.map(() => 'completed'));
      // Others, too, while the breaker of their own model is open.
      expect(ended.filter(({ route }) => route === 1).length).toBeGreaterThanOrEqual(20);
      expect(Object.fromEntries(most)).toEqual({ [OWN]: 3, [OTHER]: 2 });
      expect(await world.ground.slots('default')).toMatchObject({ running: {}, expired: [] });
    },
    {
      limits: new Map([
        [OWN, 3],
        [OTHER, 2],
      ]),
      leaseMs: 60_000,
    },
  );

  scenario(
    open,
    'a job that was promoted to a slot and is deferred gives the slot to the next',
    async (world) => {
      let goOn = () => {};
      const mayFail = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      world.provider.answerWith(async function* (call) {
        if (call.request.model === OTHER) return yield* answer(call);
        await mayFail;
        fails('rate_limited', 60_000);
      });
      const first = await world.submit();
      const running = await inCall(world, first, world.main);
      const [second, third] = [await world.submit(), await world.submit(FALLBACKS)];
      await world.poke(third, { createdAt: third.createdAt + 1 });
      for (const job of [second, third]) expect(await world.deliver(job)).toEqual({ refused: 'parked' });
      const slots = async () => Object.keys((await world.ground.slots('default')).running);
      goOn();
      expect(await world.until(running.outcome)).toEqual({ handedBack: 'rate_limited' });
      await world.eventually(async () => (await slots()).includes(second.id));
      expect(await world.deliver(second)).toEqual({ refused: 'deferred' });
      expect(await world.read(second)).toMatchObject({ state: 'pending', attempt: 0 });
      expect(await world.read(second)).not.toHaveProperty('parkedFor');
      await world.eventually(async () => (await slots()).includes(third.id));
      expect(await world.deliver(third)).toEqual({ finished: 'completed' });
      expect(modelsCalled(world, third)).toEqual([OTHER]);
      expect(world.published(third)).toBe(2);
      expect(await slots()).toEqual([]);
    },
    { limits: new Map([[OWN, 1]]), leaseMs: 60_000 },
  );

  scenario(
    open,
    'P08 the primary is down for all: its breaker opens, everybody goes elsewhere, one probe finds it back',
    async (world) => {
      const broken = new Set([OWN]);
      world.provider.answerWith(down(broken));
      for (let n = 0; n < 10; n++) {
        const job = await world.submit(FALLBACKS);
        expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      }
      expect(callsTo(world, OWN)).toHaveLength(FAILURES_TO_OPEN);
      expect(callsTo(world, OTHER)).toHaveLength(10);
      const logged = (event: string) => world.lines.filter((line) => line.includes(event)).length;
      expect(logged('breaker-opened')).toBe(1);

      // It fails still: one call, and twice the time.
      await world.pass(OPEN_LEAST_MS);
      const unlucky = await world.submit(FALLBACKS);
      await world.deliver(unlucky);
      expect(modelsCalled(world, unlucky)).toEqual([OWN, OTHER]);
      await world.pass(OPEN_LEAST_MS);
      const before = await world.submit(FALLBACKS);
      await world.deliver(before);
      expect(modelsCalled(world, before)).toEqual([OTHER]);

      broken.clear();
      await world.pass(OPEN_LEAST_MS);
      world.provider.answerWith((call) => (call.request.model === OWN ? world.provider.held(call) : answer(call)));
      const crowd: Job[] = [];
      for (let n = 0; n < 20; n++) crowd.push(await world.submit(FALLBACKS));
      const outcomes = Promise.all(crowd.map((job) => world.main.run(job)));
      await world.eventually(() => callsTo(world, OTHER).length === 12 + 19);
      const [probe, ...more] = callsTo(world, OWN).slice(FAILURES_TO_OPEN + 1);
      expect(more).toEqual([]);
      world.provider.open(probe?.prompt ?? '');
      expect(await world.until(outcomes)).toEqual(crowd.map(() => ({ finished: 'completed' })));
      expect(logged('breaker-closed')).toBe(1);
      world.provider.answerWith(answer);
      const last = await world.submit(FALLBACKS);
      await world.deliver(last);
      expect(modelsCalled(world, last)).toEqual([OWN]);
    },
  );

  scenario(
    open,
    'P08 all routes are down: 100 jobs wait with no call and few writes, and all complete when they are back',
    async (world) => {
      const broken = new Set([OWN, OTHER]);
      world.provider.answerWith(down(broken));
      const early: Job[] = [];
      for (const model of [OWN, OTHER])
        for (let n = 0; n < FAILURES_TO_OPEN; n++) early.push(await world.submit({ model }));
      for (const job of early) void world.main.run(job);
      await world.eventually(() => world.lines.filter((line) => line.includes('breaker-opened')).length === 2);
      await world.pass(1_500);
      const crowd: Job[] = [];
      for (let n = 0; n < 100; n++) crowd.push(await world.submit(FALLBACKS));
      const callsBefore = world.provider.calls().length;
      const writesBefore = world.writes.length;
      const outcomes = await world.until(Promise.all(crowd.map((job) => world.main.run(job))));
      expect(outcomes).toEqual(crowd.map(() => ({ refused: 'deferred' })));
      expect(world.writes.length - writesBefore).toBe(100);
      const nextAt: number[] = [];
      for (const job of crowd) {
        const { nextAttemptAt = 0, ...deferred } = await world.read(job);
        expect(deferred).toMatchObject({ state: 'pending', attempt: 0, attempts: [], leaseExpiresAt: null });
        nextAt.push(nextAttemptAt);
      }
      // They do not come back at one instant.
      expect(Math.max(...nextAt) - Math.min(...nextAt)).toBeGreaterThan(5_000);
      expect(Math.min(...nextAt)).toBeGreaterThan(world.clock.nowMs() + 20_000);
      // Two minutes: a probe of each route, each time that a breaker lets one through.
      await world.pass(2_000);
      for (let passedMs = 0; passedMs < 120_000; passedMs += 2_000) {
        await world.until(world.main.sweep());
        await world.deliverRung();
        await world.pass(2_000);
      }
      expect(world.provider.calls().length - callsBefore).toBeLessThanOrEqual(6);
      expect(world.writes.length - writesBefore).toBeLessThan(1_000);

      broken.clear();
      await sweepUntil(world, [...early, ...crowd], 1_200_000);
      const states = await Promise.all([...early, ...crowd].map(async (job) => (await world.read(job)).state));
      expect(new Set(states)).toEqual(new Set(['completed']));
    },
  );

  scenario(
    open,
    'a job without fallbacks and a breaker that is open: it waits for it, without an attempt',
    async (world) => {
      const broken = new Set([OWN]);
      world.provider.answerWith(down(broken));
      const jobs = [await world.submit(), await world.submit()];
      const [first, second] = await world.until(Promise.all(jobs.map((job) => world.main.run(job))));
      expect([first, second]).toContainEqual({ handedBack: 'overloaded' });
      // Both may have been in a call when it opened.
      expect(callsTo(world, OWN).length).toBeLessThanOrEqual(FAILURES_TO_OPEN + 1);
      const third = await world.submit();
      expect(await world.deliver(third)).toEqual({ refused: 'deferred' });
      broken.clear();
      await sweepUntil(world, [...jobs, third], 300_000);
      expect((await world.read(third)).attempts).toMatchObject([{ outcome: 'completed' }]);
    },
  );
}
