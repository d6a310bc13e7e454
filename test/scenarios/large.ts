/** Q05: inputs and results that are too large for their job's document: whole, or not there at all, whoever dies when. */
import { expect } from 'vitest';
import { isServiceError } from '../../shared/core/errors.ts';
import type { Job, Json } from '../../shared/core/job.ts';
import { removeOrphans } from '../../shared/core/orphans.ts';
import type { PartSetKey } from '../../shared/core/part-store.ts';
import { CHECK_AFTER_MS, valueIn } from '../../shared/core/parts.ts';
import { ADA } from '../support/core-world.ts';
import type { Fault } from '../support/faulty.ts';
import type { Instance } from './instance.ts';
import { type Generate, promptOf } from './provider-double.ts';
import { inCall, type Open, scenario, type World } from './world.ts';

const MEGABYTE = 1_000_000;
/** Of what comes to three parts. */
const LARGE = 2 * MEGABYTE;
const PARTS = [1, 2, 3];
/** Cut anywhere, one of its characters would be torn. */
const WORDS = 'aé分👩‍🔬"\n';
const text = (bytes: number, mark = '') => mark + WORDS.repeat((bytes - mark.length) / Buffer.byteLength(WORDS));
const inputOf = (bytes: number): Json => ({ prompt: text(bytes, `job ${crypto.randomUUID()} `) });
const resultOf = (nth: number, bytes = LARGE): Json => ({ success: true, result: text(bytes, `answer ${nth} `) });

const answering = (bytes: number): Generate =>
  async function* ({ nth }) {
    yield { type: 'accepted' };
    yield { type: 'text-delta', text: text(bytes, `answer ${nth} `) };
    yield { type: 'usage', usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } };
    yield { type: 'finish', reason: 'stop' };
  };

/** Every set that nobody vouched for yet. */
function unchecked(world: World): Promise<PartSetKey[]> {
  return world.parts.unchecked(Date.now() * 2, 100);
}

/** Brings the hour after which sets are checked, and checks them. */
async function checkSets(world: World): Promise<void> {
  for (const key of await unchecked(world)) await world.parts.check(key, 1);
  await removeOrphans({ store: world.ground, parts: world.parts, clock: world.clock, log: () => {} });
}

/** Is anything of this set there? */
async function isThere(world: World, key: PartSetKey): Promise<boolean> {
  const found = await Promise.all([1, 2, 3, 4].map((n) => world.parts.get(key, n)));
  return found.some((part) => part !== undefined);
}

async function readResult(world: World, job: Job, by: Instance = world.main): Promise<Json | undefined> {
  return (await world.until(by.service.read(ADA, job.id))).job.result;
}

/** The job is over, whole, and nothing lies beside it but what it names. */
async function expectWhole(world: World, job: Job, attempt: number): Promise<void> {
  expect(await world.read(job)).toMatchObject({
    state: 'completed',
    attempt,
    parts: { result: { name: expect.stringMatching(`^${attempt}-`) } },
  });
  expect(await readResult(world, job)).toEqual(resultOf(attempt));
  const before = await unchecked(world);
  await checkSets(world);
  expect(await unchecked(world)).toEqual([]);
  const { parts } = await world.read(job);
  for (const key of before) expect(await isThere(world, key)).toBe(key.set === parts?.result?.name);
  expect(await readResult(world, job, world.instance())).toEqual(resultOf(attempt));
}

/** `parts`: at which the faults happen. */
export function largeScenarios(open: Open, parts = PARTS): void {
  for (const part of parts) {
    for (const fault of ['crash', 'crash-after'] satisfies Fault[]) {
      scenario(
        open,
        `Q05 ${fault} at part ${part} of a result: no pointer dangles, attempt 2 completes, no orphan stays`,
        async (world) => {
          world.provider.answerWith(answering(LARGE));
          const job = await world.submit();
          const mortal = world.instance();
          mortal.parts.fail('put', fault, { skip: part - 1 });
          void mortal.run(job);
          await world.eventually(() => mortal.parts.fired(fault) === 1);
          expect(await world.read(job)).not.toHaveProperty('parts');
          await world.makeDue(job);
          await world.until(world.main.sweep());
          await world.deliverRung();
          await expectWhole(world, job, 2);
          expect(world.callsOf(job)).toHaveLength(2);
        },
      );
    }

    for (const fault of ['before', 'after'] satisfies Fault[]) {
      scenario(
        open,
        `Q05 the store fails (${fault}) at part ${part} of a result: offered again under the same lease, one call`,
        async (world) => {
          world.provider.answerWith(answering(LARGE));
          const job = await world.submit();
          world.main.parts.fail('put', fault, { skip: part - 1 });
          expect(await world.deliver(job)).toEqual({ finished: 'completed' });
          expect(world.main.parts.fired(fault)).toBe(1);
          await expectWhole(world, job, 1);
          expect(world.callsOf(job)).toHaveLength(1);
        },
      );
    }

    scenario(
      open,
      `Q05 crash at part ${part} of an input: there is no job, a repeat makes it, no orphan stays`,
      async (world) => {
        const input = inputOf(LARGE);
        const submission = { jobType: 'general_llm_request', model: 'simulated', input, idempotencyKey: 'large' };
        const mortal = world.instance();
        mortal.parts.fail('put', 'crash', { skip: part - 1 });
        void mortal.service.submit(ADA, submission);
        await world.eventually(() => mortal.parts.fired('crash') === 1);
        expect(await world.jobs()).toEqual([]);
        const left = await unchecked(world);
        expect(left).toHaveLength(part === 1 ? 0 : 1);

        const { job } = await world.main.service.submit(ADA, submission);
        await checkSets(world);
        expect(await Promise.all(left.map((key) => isThere(world, key)))).toEqual(left.map(() => false));
        expect(await world.deliver(job)).toEqual({ finished: 'completed' });
        expect(world.callsOf({ ...job, questionId: promptOf(input) })).toHaveLength(1);
        expect(await world.jobs()).toHaveLength(1);
      },
    );
  }

  scenario(
    open,
    'Q05 an input whose parts the store does not take: 503 that names the job, which a PUT makes',
    async (world) => {
      const submission = {
        jobType: 'general_llm_request',
        model: 'simulated',
        input: inputOf(LARGE),
        jobId: crypto.randomUUID(),
      };
      world.main.parts.fail('put', 'before', { skip: 1 });
      const error = await world.main.service.submit(ADA, submission).catch((thrown: unknown) => thrown);
      expect(isServiceError(error, 'store_unavailable') && error.fields).toEqual({ job_id: submission.jobId });
      expect(await world.jobs()).toEqual([]);
      const { job, replayed } = await world.main.service.submit(ADA, submission);
      expect({ id: job.id, replayed }).toEqual({ id: submission.jobId, replayed: false });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      await checkSets(world);
      expect(await valueIn(world.parts, job, job.parts?.input ?? { name: '', bytes: 0, sha256: [] })).toEqual(
        submission.input,
      );
    },
  );

  scenario(
    open,
    'Q05 many submits of one large input at once make one job, and leave no parts of others',
    async (world) => {
      const submission = {
        jobType: 'general_llm_request',
        model: 'simulated',
        input: inputOf(LARGE),
        idempotencyKey: 'crowd',
      };
      const crowd = await world.until(Promise.all([1, 2, 3, 4].map(() => world.main.service.submit(ADA, submission))));
      expect(new Set(crowd.map(({ job }) => job.id)).size).toBe(1);
      expect(crowd.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(await unchecked(world)).toHaveLength(1);
      const [{ job } = { job: undefined }] = crowd;
      if (job) expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    },
  );

  scenario(
    open,
    'Q05 a zombie puts its parts after another attempt has finished: they are named by nobody, and go',
    async (world) => {
      world.provider.answerWith(async function* (call) {
        if (call.nth === 1) yield* world.provider.held({ ...call, nth: 1 });
        else yield* answering(LARGE)(call);
      });
      const job = await world.submit();
      const zombie = world.instance();
      const { outcome } = await inCall(world, job, zombie);
      zombie.pause();
      await world.makeDue(job);
      await world.until(world.main.sweep());
      await world.deliverRung();
      world.answerTo(job, 1);
      zombie.resume();
      expect(await world.until(outcome)).toEqual({ lost: true });
      await expectWhole(world, job, 2);
    },
  );

  scenario(
    open,
    'Q05 cancelled while its result is put beside it: the job ends cancelled, and the parts go',
    async (world) => {
      world.provider.answerWith(answering(LARGE));
      const job = await world.submit();
      world.main.parts.before('put', () => world.instance().service.cancel(ADA, job.id));
      expect(await world.deliver(job)).toEqual({ finished: 'cancelled' });
      expect(await world.read(job)).not.toHaveProperty('parts');
      expect(await unchecked(world)).toEqual([]);
    },
  );

  scenario(open, 'Q05 deleted, or read with store: false: no part stays', async (world) => {
    world.provider.answerWith(answering(LARGE));
    const deleted = await world.submit({ input: inputOf(LARGE), questionId: 'large' });
    const fleeting = await world.submit({ input: inputOf(LARGE), questionId: 'large', store: false });
    for (const job of [deleted, fleeting]) expect(await world.deliver(job)).toEqual({ finished: 'completed' });
    const sets = await unchecked(world);
    expect(sets).toHaveLength(4);
    await world.main.service.remove(ADA, deleted.id);
    expect(await readResult(world, fleeting)).toEqual(resultOf(1));
    await world.makeDue(fleeting);
    expect(await world.until(world.main.sweep())).toMatchObject({ removed: 1 });
    for (const key of sets) expect(await isThere(world, key)).toBe(false);
    expect(await readResult(world, fleeting)).toBeUndefined();
  });

  scenario(
    open,
    'Q05 a damaged input ends its job without a call; a damaged result is given to nobody',
    async (world) => {
      world.provider.answerWith(answering(LARGE));
      const unreadable = await world.submit({ input: inputOf(LARGE), questionId: 'large' });
      const key = { tenant: unreadable.tenant, id: unreadable.id, set: unreadable.parts?.input?.name ?? '' };
      await world.parts.remove(key);
      expect(await world.deliver(unreadable)).toEqual({ refused: 'denied' });
      expect(await world.read(unreadable)).toMatchObject({
        state: 'failed',
        attempts: [],
        error: { code: 'internal_error' },
      });

      const job = await world.submit();
      await world.deliver(job);
      const { parts } = await world.read(job);
      const set = { tenant: job.tenant, id: job.id, set: parts?.result?.name ?? '' };
      await world.parts.remove(set);
      await world.parts.put(set, { n: 1, text: '"something else"', deleteAt: Date.now() + CHECK_AFTER_MS });
      await expect(world.until(world.main.service.read(ADA, job.id))).rejects.toMatchObject({ code: 'internal_error' });
      await world.main.service.remove(ADA, job.id);
    },
    { checkParts: false },
  );

  scenario(open, 'Q05 an input of 5 MB and a result of 8 MB; 900 KB of each', async (world) => {
    for (const [ask, answer] of [
      [5 * MEGABYTE, 8 * MEGABYTE],
      [900_000, 900_000],
    ] as const) {
      world.provider.answerWith(answering(answer));
      const input = inputOf(ask);
      const job = await world.submit({ input, questionId: 'large' });
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      expect(world.provider.calls(promptOf(input))).toHaveLength(1);
      expect(await readResult(world, job, world.instance())).toEqual(resultOf(1, answer));
      const { parts } = await world.read(job);
      expect(await valueIn(world.parts, job, parts?.input ?? { name: '', bytes: 0, sha256: [] })).toEqual(input);
    }
  });
}
