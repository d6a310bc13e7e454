/** Waiting on Firestore's emulator: a crowd, what goes over the wire, and functions that are told to end. */
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FunctionProcess, startFunction } from '../../infra/function-process.ts';
import { readConfig } from '../../shared/config.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import { googleRuntime, type Runtime } from '../../shared/runtime.ts';
import { describeOnEmulators, emulatorConfig, emulators } from '../support/emulators.ts';
import { type GrpcProxy, startGrpcProxy } from '../support/grpc-proxy.ts';
import { request, type View } from '../support/http-client.ts';

const LOCAL: Principal = { tenant: 'default', user: 'local', scopes: [] };
const CROWD = 500;
/** 500 jobs at once are among the long tests, as streams. */
const JOBS = 60;
const LINGER_MS = 5_000;
/** What tells a process that stops from one that waits its time out. */
const AT_ONCE_MS = 5_000;

describeOnEmulators('on the emulators,', () => {
  let firestore: GrpcProxy;
  let environment: Record<string, string>;
  /** A process that works, one that reads, and one whose reads go over the counted wire. */
  let worker: Runtime;
  let reader: Runtime;
  let counted: Runtime;

  beforeAll(async () => {
    firestore = await startGrpcProxy(emulators().firestore);
    const config = emulatorConfig();
    environment = {
      GOOGLE_CLOUD_PROJECT: config.projectId,
      PUBSUB_EMULATOR_HOST: emulators().pubsub,
      FIRESTORE_EMULATOR_HOST: emulators().firestore,
      SIMULATED_MS: '200',
      LOG_LEVEL: 'error',
      LOG_FORMAT: 'json',
    };
    worker = googleRuntime(readConfig(environment));
    reader = googleRuntime(readConfig(environment));
    counted = googleRuntime(readConfig({ ...environment, FIRESTORE_EMULATOR_HOST: firestore.host }));
    const client = new PubSub({ projectId: config.projectId, apiEndpoint: emulators().pubsub, emulatorMode: true });
    await client.createTopic(config.jobsTopic);
    await client.close();
    // The first calls of a process load and connect clients, and find the emulator cold.
    for (const runtime of [worker, reader, counted]) {
      const first = () => submitTo(runtime, 'First.');
      const job = await first().catch(first).catch(first);
      await Promise.all([waitFor(job, runtime), worker.worker.run(job)]);
    }
  }, 90_000);
  afterAll(async () => {
    await Promise.all([reader, counted, worker].map((runtime) => runtime?.close()));
    await firestore?.close();
  });

  const submitTo = async (runtime: Runtime, prompt: string): Promise<Job> =>
    (await runtime.service.submit(LOCAL, { jobType: 'general_llm_request', model: 'simulated', input: { prompt } }))
      .job;
  const waitFor = ({ id }: Job, { service } = reader) => service.read(LOCAL, id, { waitMs: 100_000, until: 'over' });

  /** Does something again and again, twenty at a time, until it says that nothing is left: all at once, the emulator is slow. */
  const inTwenties = async (next: () => Promise<boolean>) => {
    const all = async () => {
      while (await next());
    };
    await Promise.all(Array.from({ length: 20 }, all));
  };

  describe('a crowd in one process:', () => {
    test('500 who wait for one job see its end, without a read, and no listener is left', async () => {
      const job = await submitTo(worker, 'For all.');
      firestore.calls.length = 0;
      const waiting = Array.from({ length: CROWD }, () => waitFor(job, counted));
      expect(counted.service.listeners()).toBe(1);
      await counted.service.read(LOCAL, job.id, { waitMs: 300 });
      await worker.worker.run(job);
      const seen = await Promise.all(waiting);
      expect(seen.filter((one) => one.job.state === 'completed')).toHaveLength(CROWD);
      expect((await counted.service.read(LOCAL, job.id)).job.state).toBe('completed');
      expect(firestore.calls.filter(({ method }) => method === 'BatchGetDocuments')).toEqual([]);
      expect(counted.service.listeners()).toBe(0);
    });

    test(`${JOBS} who wait for ${JOBS} jobs see their ends, and no listener is left`, async () => {
      const jobs: Job[] = [];
      await inTwenties(async () => {
        if (jobs.length >= JOBS) return false;
        const place = jobs.push(await submitTo(worker, 'One of many.'));
        return place < JOBS;
      });
      const gone = new AbortController();
      const other = await submitTo(worker, 'Nobody runs this.');
      const givesUp = reader.service.read(LOCAL, other.id, { waitMs: 55_000, signal: gone.signal });
      const waiting = jobs.map((job) => waitFor(job));
      expect(reader.service.listeners()).toBe(jobs.length + 1);
      expect(jobs.length).toBeGreaterThanOrEqual(JOBS);
      const queue = [...jobs];
      await inTwenties(async () => {
        const job = queue.pop();
        return job !== undefined && 'finished' in (await worker.worker.run(job));
      });
      const seen = await Promise.all(waiting);
      expect(seen.map(({ job }) => [job.id, job.state])).toEqual(jobs.map(({ id }) => [id, 'completed']));
      gone.abort();
      expect((await givesUp).job.state).toBe('pending');
      await expect.poll(() => reader.service.listeners(), { timeout: 2 * LINGER_MS }).toBe(0);
    }, 150_000);
  });

  describe('a function that is told to end', () => {
    async function withFunction(name: FunctionProcess['name'], use: (started: FunctionProcess) => Promise<void>) {
      const started = await startFunction({
        name,
        environment: { ...environment, DRAIN_MS: '20000' },
        onLine: () => {},
      });
      try {
        await use(started);
      } finally {
        await started.stop();
      }
    }

    /** Sends SIGTERM while an answer is held, and gives that answer, and how the process ended. */
    async function endWhileHeld({ child }: FunctionProcess, held: Promise<Response>) {
      const answered = Promise.race([
        held.then(() => true),
        new Promise((resolve) => setTimeout(resolve, 1_500, false)),
      ]);
      expect(await answered).toBe(false);
      const process = child();
      const exit = new Promise<number | null>((resolve) => process.once('exit', resolve));
      const toldMs = performance.now();
      process.kill('SIGTERM');
      const response = await held;
      expect(performance.now() - toldMs).toBeLessThan(AT_ONCE_MS);
      expect(await exit).toBe(0);
      expect(performance.now() - toldMs).toBeLessThan(AT_ONCE_MS);
      return response;
    }

    test.each(['status', 'api'] as const)(
      'answers who waits for a change at once with the job as it is (%s)',
      async (name) => {
        const job = await submitTo(worker, 'Nobody runs this.');
        await withFunction(name, async (started) => {
          const url = `${started.url}/api/llm/jobs/${job.id}/status/`;
          const { headers } = await fetch(url);
          expect(headers.get('ETag')).toBe('W/"1.0"');
          const response = await endWhileHeld(started, fetch(`${url}?wait=55`));
          expect([response.status, ((await response.json()) as View).status]).toEqual([200, 'pending']);
        });
      },
    );

    test('answers a submit that waits at once with 202', async () => {
      await withFunction('submit', async (started) => {
        const submit = (query: string) =>
          fetch(`${started.url}/api/llm/jobs/submit/${query}`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(request('simulated', 'Nobody runs this.')),
          });
        expect((await submit('')).status).toBe(202);
        const response = await endWhileHeld(started, submit('?wait=55'));
        expect([response.status, ((await response.json()) as View).status]).toEqual([202, 'pending']);
      });
    });
  });
});
