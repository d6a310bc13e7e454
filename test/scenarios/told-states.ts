/** Whichever way a job goes, its webhook and the topic are told exactly the states that it came to, in their order. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { ALL_MODELS } from '../../shared/core/slots.ts';
import { ADA } from '../support/core-world.ts';
import { leftAlone, toItsEnd } from './background-jobs.ts';
import { ON } from './credits.ts';
import { FAILURES } from './receiver-double.ts';
import { ALL, hook, untilTold } from './webhooks.ts';
import { inCall, type Open, scenario, type World, type WorldOptions } from './world.ts';

/** What becomes of the job, and what is told of it. */
type Way = [told: string[], live: (world: World) => Promise<Job>, options?: WorldOptions];

const WAYS: { [name: string]: Way } = {
  'it completes': [['started', 'completed'], async (world) => run(world, await submit(world))],
  'it fails': [['started', 'failed'], failed],
  'cancelled before anybody took it': [
    ['cancelled'],
    async (world) => {
      const job = await submit(world);
      await world.main.service.cancel(ADA, job.id);
      return job;
    },
  ],
  'cancelled in its call': [
    ['started', 'cancelled'],
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const job = await submit(world);
      const { outcome } = await inCall(world, job, world.main);
      await world.main.service.cancel(ADA, job.id);
      await world.until(outcome);
      return job;
    },
  ],
  'cancelled while its worker was dead, ended by the sweeper': [
    ['started', 'cancelled'],
    async (world) => {
      const job = await heldByTheDead(world);
      await world.main.service.cancel(ADA, job.id);
      return sweptToItsEnd(world, job);
    },
  ],
  'nobody took it in time, ended by the sweeper': [
    ['failed'],
    async (world) => sweptToItsEnd(world, await submit(world, { limits: { startWithinMs: 1_000 } })),
  ],
  'its time is over, found by a worker': [
    ['failed'],
    async (world) => {
      const job = await submit(world, { limits: { startWithinMs: 100 } });
      await world.pass(150);
      expect(await world.deliver(job)).toEqual({ refused: 'overdue' });
      return job;
    },
  ],
  'its worker died, another one runs it': [
    ['started', 'completed'],
    async (world) => {
      const job = await heldByTheDead(world);
      await world.pass(world.leaseMs + LEASE_GRACE_MS + 1);
      await world.main.sweep();
      return run(world, job);
    },
  ],
  'its user has too little': [
    ['failed'],
    async (world) => {
      await world.fund(1);
      const job = await submit(world, { emptyAccount: 'accept' });
      expect(await world.deliver(job)).toEqual({ refused: 'denied' });
      return job;
    },
    ON,
  ],
  'an equal job had the answer': [
    ['completed'],
    async (world) => {
      const equal = { input: { prompt: 'the same' }, cacheMs: 60_000 };
      await run(world, await world.submit(equal));
      const job = await submit(world, equal);
      expect(await world.deliver(job)).toEqual({ refused: 'answered' });
      return job;
    },
  ],
  'it waited for a slot': [
    ['started', 'completed'],
    async (world) => {
      world.provider.answerWith(world.provider.held);
      const first = await world.submit();
      const { outcome } = await inCall(world, first, world.main);
      const job = await submit(world);
      expect(await world.deliver(job)).toEqual({ refused: 'parked' });
      world.answerTo(first);
      await world.until(outcome);
      world.answerTo(job);
      return run(world, job);
    },
    { limits: new Map([[ALL_MODELS, 1]]) },
  ],
  'its provider worked on it by itself': [
    ['started', 'completed'],
    async (world) => {
      const job = await submit(world, { background: true });
      await leftAlone(world, job);
      await toItsEnd(world, job);
      return job;
    },
  ],
  'it was made of one that failed': [
    ['started', 'completed'],
    async (world) => {
      const old = await failed(world);
      world.provider.answerWith(async function* () {
        yield { type: 'text-delta', text: 'this time' };
        yield { type: 'finish', reason: 'stop' };
      });
      const { job } = await world.main.service.redrive(ADA, old.id);
      await run(world, job);
      await untilTold(world, old);
      expect(world.receiver.published(old).map(({ type }) => type)).toEqual(['started', 'failed']);
      return job;
    },
  ],
};

export function toldStateScenarios(open: Open, isEach = true): void {
  for (const [name, [told, live, options]] of Object.entries(WAYS).slice(0, isEach ? undefined : 5)) {
    scenario(
      open,
      `H03 ${name}: told ${told.join(', ')}`,
      async (world) => {
        const job = await live(world);
        await untilTold(world, job);
        const calls = world.receiver.calls(job);
        expect(calls.map(({ type }) => type)).toEqual(told);
        const events = world.receiver.published(job);
        expect(events.map(({ type, version }) => [type, version])).toEqual(
          calls.map(({ type, version }) => [type, version]),
        );
        expect(events.map(({ attributes }) => attributes.event_id)).toEqual(calls.map(({ id }) => id));
        const { state, version } = await world.read(job);
        expect([told.at(-1), events.at(-1)?.version]).toEqual([state, version]);
        expect(await world.main.sweep()).toMatchObject({ rung: 0 });
      },
      { hasTopic: true, ...options },
    );
  }

  scenario(
    open,
    'H03 deleted: its webhook hears nothing of it, the topic hears that it was cancelled, and none of its words',
    async (world) => {
      const job = await submit(world, { metadata: { secret: 'mine' }, tags: ['mine'] });
      await world.main.service.remove(ADA, job.id);
      await untilTold(world, job);
      expect(world.receiver.calls(job)).toEqual([]);
      expect(world.receiver.published(job)).toMatchObject([{ type: 'cancelled', attributes: { status: 'cancelled' } }]);
      expect(JSON.stringify(world.receiver.published(job))).not.toContain('mine');
      expect(await world.read(job)).not.toHaveProperty('webhook');
    },
    { hasTopic: true },
  );

  scenario(
    open,
    'H03 deleted while its receiver fails: it is not called again',
    async (world) => {
      world.receiver.answerWith(() => FAILURES['500']);
      const job = await run(world, await submit(world));
      await world.deliver(job);
      expect(world.receiver.calls(job)).toHaveLength(1);
      await world.main.service.remove(ADA, job.id);
      await untilTold(world, job);
      expect(world.receiver.calls(job)).toHaveLength(1);
      expect(world.receiver.published(job).map(({ type }) => type)).toEqual(['started', 'completed']);
    },
    { hasTopic: true },
  );

  scenario(
    open,
    'H03 a message that could not be taken in: the topic hears that it failed, once',
    async (world) => {
      const message = { messageId: 'm-1', content: { job_type: 'general_llm_request' } };
      const wrong = new ServiceError('invalid_request', 'It has no input_data.');
      const job = await world.main.service.recordRejected(ADA, message, wrong);
      await world.main.service.recordRejected(ADA, message, wrong);
      await world.deliverRung();
      await untilTold(world, job);
      expect(world.receiver.published(job)).toMatchObject([{ type: 'failed', version: 1 }]);
    },
    { hasTopic: true },
  );

  scenario(
    open,
    'H03 a topic that is out: its events come in their order, and the webhook does not wait for them',
    async (world) => {
      const worker = world.instance();
      worker.eventsTopic?.fail('publish', 'before');
      const job = await run(world, await submit(world));
      await world.until(worker.run(job));
      expect(worker.eventsTopic?.fired('before')).toBe(1);
      expect(world.receiver.published(job)).toEqual([]);
      expect(world.receiver.calls(job).map(({ type }) => type)).toEqual(['started', 'completed']);
      await untilTold(world, job);
      expect(world.receiver.published(job).map(({ type }) => type)).toEqual(['started', 'completed']);
      expect(world.receiver.calls(job)).toHaveLength(2);
    },
    { hasTopic: true },
  );
}

function submit(world: World, over: Parameters<World['submit']>[0] = {}): Promise<Job> {
  return world.submit({ ...hook(ALL), ...over });
}

async function run(world: World, job: Job): Promise<Job> {
  expect(await world.deliver(job)).toEqual({ finished: 'completed' });
  return job;
}

async function failed(world: World): Promise<Job> {
  world.provider.answerWith(async function* () {
    yield await Promise.reject(new ServiceError('auth', 'refused by the test'));
  });
  const job = await submit(world);
  expect(await world.deliver(job)).toEqual({ finished: 'failed' });
  return job;
}

async function heldByTheDead(world: World): Promise<Job> {
  world.provider.answerWith((call) => (call.nth === 1 ? world.provider.held(call) : firstAnswer()));
  const job = await submit(world);
  const victim = world.instance();
  await inCall(world, job, victim);
  victim.die();
  return job;
}

async function* firstAnswer() {
  yield { type: 'text-delta', text: 'hi' } as const;
  yield { type: 'finish', reason: 'stop' } as const;
}

/** Swept when it is due, until it is over. */
async function sweptToItsEnd(world: World, job: Job): Promise<Job> {
  for (let sweeps = 0; sweeps < 10; sweeps++) {
    const { completedAt } = await world.read(job);
    if (completedAt !== undefined) return job;
    await world.makeDue(job);
    await world.main.sweep();
  }
  throw new Error('it does not end');
}
