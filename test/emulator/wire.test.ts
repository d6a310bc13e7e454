/** What goes over the wire to Firestore and Pub/Sub: how much of it, and what happens when an answer is lost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CHUNK,
  EVENT,
  FURTHER_ATTEMPT,
  HEARTBEAT,
  IDLE_SWEEP,
  LEADING,
  LIMITED,
  PLAIN_JOB,
  POLL,
  sumOf,
} from '../../infra/operations.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { googleRuntime, type Runtime } from '../../shared/runtime.ts';
import { type CountedWire, createTopic, named, startCountedWire } from '../support/counted-wire.ts';
import { describeOnEmulators, emulatorConfig, emulators } from '../support/emulators.ts';
import { countField, type GrpcProxy } from '../support/grpc-proxy.ts';
import { type Provider, startProvider } from '../support/provider.ts';
import { startReceiver } from '../support/webhook-receiver.ts';

const LOCAL: Principal = { tenant: 'default', user: 'local', scopes: [] };

/** From one heartbeat to the next, in the test of them. */
const BEAT_MS = 1_000;

describeOnEmulators('the wire', () => {
  let provider: Provider;
  let wire: CountedWire;
  let firestore: GrpcProxy;
  let pubsub: GrpcProxy;

  beforeAll(async () => {
    provider = await startProvider();
    wire = await startCountedWire(emulators());
    ({ firestore, pubsub } = wire);
  });
  afterAll(async () => {
    await Promise.all([provider?.stop(), wire?.close()]);
  });

  async function withRuntime(
    environment: Record<string, string>,
    use: (runtime: Runtime) => Promise<void>,
  ): Promise<void> {
    const config = emulatorConfig({
      ...wire.environment,
      OPENAI_API_KEY: 'sk-test',
      OPENAI_BASE_URL: provider.baseUrl,
      ...environment,
    });
    await createTopic(emulators().pubsub, config.projectId, config.jobsTopic);
    const runtime = googleRuntime(config);
    try {
      await use(runtime);
    } finally {
      await runtime.close();
    }
  }

  function submission(prompt: string, model = 'gpt-4o-mini'): Submission {
    return { jobType: 'general_llm_request', model, input: { prompt } };
  }

  /** What such jobs usually take is asked and told now and then; here it was, a moment ago. */
  async function withKnown(
    model: string,
    use: (runtime: Runtime) => Promise<void>,
    environment: Record<string, string> = {},
  ): Promise<void> {
    await withRuntime(environment, async (runtime) => {
      const { job } = await runtime.service.submit(LOCAL, submission('the first of its kind', model));
      await runtime.worker.run(job);
      await use(runtime);
    });
  }

  const read = async (runtime: Runtime, { id }: Job) => (await runtime.service.read(LOCAL, id)).job;

  const counts = {
    messages: () => pubsub.calls.filter(named('Publish')).reduce((sum, { message }) => sum + countField(message, 2), 0),
  };

  /** How many documents were written and read, queries were made and messages were published since the last time. */
  const counted = () => wire.take().operations;

  test('a plain job is three writes, one read and one message', async () => {
    await withKnown('gpt-4o-mini', async (runtime) => {
      counted();
      const { job } = await runtime.service.submit(LOCAL, submission('count me'));
      expect(await runtime.worker.run(job)).toEqual({ finished: 'completed' });
      expect(firestore.calls.length + pubsub.calls.length).toBe(5);
      expect(counted()).toEqual(PLAIN_JOB);
      expect(PLAIN_JOB).toEqual({ writes: 3, reads: 1, queries: 0, messages: 1 });
    });
  });

  test('with a limit that it does not meet a job is two writes and two reads more', async () => {
    await withKnown(
      'gpt-4o-mini',
      async (runtime) => {
        counted();
        const { job } = await runtime.service.submit(LOCAL, submission('count my slot'));
        expect(await runtime.worker.run(job)).toEqual({ finished: 'completed' });
        expect(LIMITED).toEqual({ writes: 2, reads: 2, queries: 0, messages: 0 });
        expect(counted()).toEqual(
          sumOf([
            [PLAIN_JOB, 1],
            [LIMITED, 1],
          ]),
        );
      },
      { MAX_RUNNING: '*=1' },
    );
  });

  describe('telling others', () => {
    const secret = `whsec_${Buffer.from('a secret of twenty-four bytes').toString('base64')}`;

    test('that it ended, by a webhook: two writes, one read and one message more', async () => {
      const receiver = await startReceiver({ secrets: [secret] });
      const webhook = { url: receiver.url, events: ['completed' as const] };
      const use = async (runtime: Runtime) => {
        counted();
        const { job } = await runtime.service.submit(LOCAL, { ...submission('count my end'), webhook });
        expect(await runtime.worker.run(job)).toEqual({ finished: 'completed' });
        // The doorbell of its end.
        const done = counted();
        expect(done).toEqual({ writes: 3, reads: 1, queries: 0, messages: 2 });
        expect(await runtime.worker.run(job)).toEqual({ refused: 'done' });
        expect(receiver.receipts).toMatchObject([{ type: 'job.completed', jobId: job.id }]);
        const told = counted();
        expect(told).toEqual({ writes: 2, reads: 1, queries: 0, messages: 0 });
        expect(
          sumOf([
            [done, 1],
            [told, 1],
          ]),
        ).toEqual(
          sumOf([
            [PLAIN_JOB, 1],
            [EVENT, 1],
          ]),
        );
      };
      await withKnown('gpt-4o-mini', use, { WEBHOOK_SECRETS: secret });
      expect(receiver.wrong).toEqual([]);
      await receiver.stop();
    });

    test('that it was started and ended, each by the topic: what comes during the call costs its finish another try', async () => {
      const environment = { EVENTS_TOPIC: `events-${crypto.randomUUID()}` };
      const use = async (runtime: Runtime) => {
        await runtime.worker.run((await runtime.service.submit(LOCAL, submission('open the topic', 'simulated'))).job);
        counted();
        const prompt = 'count my events [simulate seconds=2]';
        const { job } = await runtime.service.submit(LOCAL, submission(prompt, 'simulated'));
        const running = runtime.worker.run(job);
        await expect.poll(() => counts.messages()).toBe(2);
        // Its doorbell, and that of its start.
        expect(counted()).toEqual({ writes: 2, reads: 1, queries: 0, messages: 2 });
        expect(await runtime.worker.run(job)).toEqual({ refused: 'leased' });
        expect(counted()).toEqual({ writes: 2, reads: 1, queries: 0, messages: 1 });
        expect(await running).toEqual({ finished: 'completed' });
        // The finish is refused, for the document is newer, and made again.
        expect(counted()).toEqual({ writes: 2, reads: 1, queries: 0, messages: 1 });
        expect(await runtime.worker.run(job)).toEqual({ refused: 'done' });
        expect(counted()).toEqual({ writes: 2, reads: 1, queries: 0, messages: 1 });
      };
      await withKnown('simulated', use, environment);
    });
  });

  test('an answer that equal jobs share: what leading costs, and what having it costs', async () => {
    await withKnown('gpt-4o-mini', async (runtime) => {
      counted();
      const equal = { ...submission('count us together'), cacheMs: 60_000 };
      const { job: first } = await runtime.service.submit(LOCAL, equal);
      expect(await runtime.worker.run(first)).toEqual({ finished: 'completed' });
      // A plain job, who leads, and whether anybody waits.
      expect(LEADING).toEqual({ writes: 1, reads: 1, queries: 1, messages: 0 });
      expect(counted()).toEqual(
        sumOf([
          [PLAIN_JOB, 1],
          [LEADING, 1],
        ]),
      );
      const { job: second } = await runtime.service.submit(LOCAL, equal);
      expect(counted()).toEqual({ writes: 1, reads: 0, queries: 0, messages: 1 });
      expect(await runtime.worker.run(second)).toEqual({ refused: 'answered' });
      // The job, who leads, and what it has.
      expect(counted()).toEqual({ writes: 1, reads: 3, queries: 0, messages: 0 });
      expect(await read(runtime, second)).toMatchObject({ state: 'completed', answerOf: { id: first.id } });
    });
  });

  test('a limit on another model costs nothing', async () => {
    await withKnown(
      'gpt-4o-mini',
      async (runtime) => {
        counted();
        const { job } = await runtime.service.submit(LOCAL, submission('count no slot'));
        expect(await runtime.worker.run(job)).toEqual({ finished: 'completed' });
        expect(counted()).toEqual({ writes: 3, reads: 1, queries: 0, messages: 1 });
      },
      { MAX_RUNNING: 'gpt-4o=1,acme/*=1' },
    );
  });

  test('a job that has to wait for its slot: what parking it, and handing a slot on to it, cost', async () => {
    await withKnown(
      'simulated',
      async (runtime) => {
        const submit = async (prompt: string) =>
          (await runtime.service.submit(LOCAL, submission(prompt, 'simulated'))).job;
        const first = await submit('first [simulate seconds=60]');
        const [second, third] = [await submit('second'), await submit('third')];
        const running = runtime.worker.run(first);
        await expect.poll(async () => (await read(runtime, first)).state).toBe('processing');
        counted();
        expect(await runtime.worker.run(second)).toEqual({ refused: 'parked' });
        expect(counted()).toEqual({ writes: 2, reads: 3, queries: 0, messages: 0 });
        // That somebody waits is written down already.
        expect(await runtime.worker.run(third)).toEqual({ refused: 'parked' });
        expect(counted()).toEqual({ writes: 1, reads: 3, queries: 0, messages: 0 });
        // A sweeper's ring changes nothing.
        expect(await runtime.worker.run(third)).toEqual({ refused: 'parked' });
        expect(counted()).toEqual({ writes: 0, reads: 2, queries: 0, messages: 0 });
        await runtime.service.cancel(LOCAL, first.id);
        expect(await running).toEqual({ finished: 'cancelled' });
        // The cancel: two writes (its worker is told by one) and one read. The finish, refused because of it, and made
        // again: two, and one read, and two. The slot is handed on: one read, a query that finds two jobs, two writes.
        expect(counted()).toEqual({ writes: 8, reads: 3, queries: 1, messages: 1 });
        expect(await read(runtime, second)).toMatchObject({ state: 'pending', slotUntil: expect.any(Number) });
        expect(await runtime.worker.run(second)).toEqual({ finished: 'completed' });
        counted();
        // Nobody waits any more: the last one's claim and finish cost what a plain one's do.
        expect(await runtime.worker.run(third)).toEqual({ finished: 'completed' });
        expect(counted()).toEqual({ writes: 4, reads: 3, queries: 0, messages: 0 });
      },
      { MAX_RUNNING: '*=1' },
    );
  });

  test('the first job of its kind is one read and one write more: what it took is kept', async () => {
    await withRuntime({}, async (runtime) => {
      const before = firestore.calls.length;
      const { job } = await runtime.service.submit(LOCAL, submission('the first of its kind'));
      await runtime.worker.run(job);
      const calls = firestore.calls.slice(before).map(({ method }) => method);
      expect(calls.sort()).toEqual([...Array(2).fill('BatchGetDocuments'), ...Array(4).fill('Commit')]);
    });
  });

  test('an attempt that is made again under the same lease is one write more', async () => {
    await withKnown('simulated', async (runtime) => {
      const prompt = `count me twice ${crypto.randomUUID()} [simulate fail=overloaded times=1]`;
      counted();
      const { job } = await runtime.service.submit(LOCAL, submission(prompt, 'simulated'));
      expect(await runtime.worker.run(job)).toEqual({ finished: 'completed' });
      expect(FURTHER_ATTEMPT).toEqual({ writes: 1, reads: 0, queries: 0, messages: 0 });
      expect(counted()).toEqual(
        sumOf([
          [PLAIN_JOB, 1],
          [FURTHER_ATTEMPT, 1],
        ]),
      );
      expect(await read(runtime, job)).toMatchObject({
        attempts: [{ errorCode: 'overloaded' }, { outcome: 'completed' }],
      });
    });
  });

  test('each third of a lease is one write more, and so is each piece of text; a poll is a read', async () => {
    const use = async (runtime: Runtime) => {
      counted();
      const { job } = await runtime.service.submit(LOCAL, submission('beat [simulate seconds=2.5]', 'simulated'));
      const running = runtime.worker.run(job);
      await expect.poll(async () => (await read(runtime, job)).state).toBe('processing');
      const { reads, ...before } = counted();
      expect({ ...before, reads: PLAIN_JOB.reads }).toEqual({ ...PLAIN_JOB, writes: 2 });
      expect(reads).toBeGreaterThanOrEqual(PLAIN_JOB.reads + POLL.reads);
      await read(runtime, job);
      expect(counted()).toEqual(POLL);
      expect(await running).toEqual({ finished: 'completed' });
      // At 1 and at 2 s; then the finish.
      expect(counted()).toEqual({ ...sumOf([[HEARTBEAT, 2]]), writes: 2 * HEARTBEAT.writes + 1 });

      const spoken = { ...submission('speak [simulate seconds=0.6]', 'simulated'), stream: true };
      const { job: streamed } = await runtime.service.submit(LOCAL, spoken);
      const startedMs = performance.now();
      expect(await runtime.worker.run(streamed)).toEqual({ finished: 'completed' });
      // None, where the machine is not busy.
      const beatsMost = Math.floor((performance.now() - startedMs) / BEAT_MS);
      const { chunks = 0 } = (await runtime.service.read(LOCAL, streamed.id)).job.attempts[0] ?? {};
      expect(chunks).toBeGreaterThan(1);
      const { writes } = counted();
      const writesLeast = sumOf([
        [PLAIN_JOB, 1],
        [CHUNK, chunks],
      ]).writes;
      expect(writes).toBeGreaterThanOrEqual(writesLeast);
      expect(writes).toBeLessThanOrEqual(writesLeast + beatsMost * HEARTBEAT.writes);
    };
    await withKnown('simulated', use, { LEASE_MS: String(3 * BEAT_MS), FLUSH_MS: '100' });
  });

  test.each([
    ['create', 1],
    ['claim', 2],
    ['finish', 3],
  ])('a %s that was applied but answered UNAVAILABLE is recognised as our own', async (step, nth) => {
    await withKnown('gpt-4o-mini', async (runtime) => {
      let commits = 0;
      const lostBefore = firestore.lost();
      firestore.calls.length = 0;
      firestore.loseAnswer((call) => named('Commit')(call) && ++commits === nth);
      const prompt = `lose the answer of the ${step}`;
      const { job } = await runtime.service.submit(LOCAL, submission(prompt));
      expect(await runtime.worker.run(job)).toEqual({ finished: 'completed' });

      expect(firestore.lost() - lostBefore).toBe(1);
      // Nobody tried again behind our back: a look at the document was enough.
      expect(firestore.calls.filter(named('Commit'))).toHaveLength(3);
      expect(provider.callsAbout(prompt)).toBe(1);
      expect(await read(runtime, job)).toMatchObject({ state: 'completed', attempt: 1, version: 3 });
    });
  });

  test('a submit whose create was not answered is repeated under the id that it named, without a double', async () => {
    await withKnown('gpt-4o-mini', async (runtime) => {
      const lostBefore = firestore.lost();
      firestore.loseAnswer(named('Commit'));
      firestore.loseAnswer(named('BatchGetDocuments'));
      const error = await runtime.service.submit(LOCAL, submission('put me')).catch((thrown: unknown) => thrown);
      expect(firestore.lost() - lostBefore).toBe(2);
      expect(error).toMatchObject({ code: 'store_unavailable', fields: { job_id: expect.any(String) } });
      const jobId = (error as { fields: { job_id: string } }).fields.job_id;
      const again = await runtime.service.submit(LOCAL, { ...submission('put me'), jobId });
      expect(again).toMatchObject({ replayed: true, job: { id: jobId, state: 'pending' } });
      // It, and the first of its kind.
      expect((await runtime.service.list(LOCAL, { limit: 10, offset: 0 })).jobs).toHaveLength(2);
    });
  });

  test('a publish that was applied but answered UNAVAILABLE leaves an accepted job', async () => {
    await withRuntime({}, async (runtime) => {
      const lostBefore = pubsub.lost();
      pubsub.calls.length = 0;
      pubsub.loseAnswer(named('Publish'));
      const { job } = await runtime.service.submit(LOCAL, submission('lose the publish'));
      expect(pubsub.lost() - lostBefore).toBe(1);
      expect(pubsub.calls.filter(named('Publish'))).toHaveLength(1);
      expect(await read(runtime, job)).toMatchObject({ state: 'pending' });
    });
  });

  test('heartbeat and finish racing 50 times keep 50 results', async () => {
    // A third of the lease after the claim a heartbeat is written; the answers end around that instant.
    const leaseMs = 4_800;
    await withRuntime({ LEASE_MS: String(leaseMs) }, async (runtime) => {
      const spreadMs = 60;
      firestore.calls.length = 0;
      const submitted = await Promise.all(
        Array.from({ length: 50 }, (_, index) => {
          const seconds = (leaseMs / 3 - spreadMs / 2 + (index * spreadMs) / 50) / 1_000;
          return runtime.service.submit(LOCAL, submission(`race ${index} [simulate seconds=${seconds}]`, 'simulated'));
        }),
      );
      const jobs = submitted.map(({ job }) => job);
      const outcomes = await Promise.all(jobs.map((job) => runtime.worker.run(job)));
      expect(outcomes).toEqual(jobs.map(() => ({ finished: 'completed' })));
      const ended = await Promise.all(jobs.map((job) => read(runtime, job)));
      expect(ended.every((job) => job.state === 'completed' && job.attempt === 1 && job.result !== undefined)).toBe(
        true,
      );
      // There were heartbeats: more writes than create, claim and finish.
      expect(firestore.calls.filter(named('Commit')).length).toBeGreaterThan(150);
    });
  });

  test('a sweep with nothing to do is one query', async () => {
    await withRuntime({}, async (runtime) => {
      counted();
      expect(await runtime.sweep()).toEqual({ rung: 0, ended: 0, postponed: 0, removed: 0 });
      expect(firestore.calls.map((call) => call.method)).toEqual(['RunQuery']);
      expect(counted()).toEqual(IDLE_SWEEP);
    });
  });
});
