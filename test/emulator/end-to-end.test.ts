/** The end-to-end suite on the emulators, each function its own process, and what only separate processes can show. */
import { PubSub } from '@google-cloud/pubsub';
import { expect, test } from 'vitest';
import { type EmulatorStack, startEmulatorStack } from '../../infra/emulators.ts';
import { startFunction } from '../../infra/function-process.ts';
import { createClient } from '../../shared/client/client.ts';
import { publishJob } from '../../shared/client/publisher.ts';
import { readConfig } from '../../shared/config.ts';
import { LEASE_GRACE_MS } from '../../shared/core/leases.ts';
import { encodeDoorbell } from '../../shared/http/push.ts';
import { googleRuntime } from '../../shared/runtime.ts';
import { canaryTour } from '../end-to-end/canaries.ts';
import { clientTests } from '../end-to-end/client.ts';
import { largeTests } from '../end-to-end/large.ts';
import { endToEndSuite } from '../end-to-end/suite.ts';
import { describeOnEmulators, emulatorConfig, emulators } from '../support/emulators.ts';
import { pollToEnd, pollUntil, readStatus, request, submit } from '../support/http-client.ts';

/** Twice what a loaded machine was seen to keep 50 heartbeats waiting. */
const LEASE_MS = '12000';
const LOCAL = { tenant: 'default', user: 'local', scopes: [] };

describeOnEmulators('emulators', () => {
  let stack: EmulatorStack;
  let environment: Record<string, string>;
  const lines: string[] = [];

  endToEndSuite(
    'emulators',
    async (given) => {
      const config = emulatorConfig({ PORT: '0' });
      environment = {
        ...given,
        LEASE_MS,
        LOG_FORMAT: 'json',
        LOG_LEVEL: 'debug',
        GOOGLE_CLOUD_PROJECT: config.projectId,
        PUBSUB_EMULATOR_HOST: emulators().pubsub,
        FIRESTORE_EMULATOR_HOST: emulators().firestore,
      };
      stack = await startEmulatorStack({
        config,
        pubsubHost: emulators().pubsub,
        firestoreHost: emulators().firestore,
        environment,
        onLine: (line) => lines.push(line),
      });
      return stack;
    },
    (target, provider) => {
      clientTests(() => ({ baseUrl: target().baseUrl }));

      test('the jobs really crossed Pub/Sub and Firestore', async () => {
        const before = stack.driver.counts();
        const id = await submit(target().baseUrl, request('gpt-4o-mini', 'cross both'));
        await pollToEnd(target().baseUrl, id);
        expect(await documentOf(id)).toMatchObject({
          fields: { state: { stringValue: 'completed' }, id: { stringValue: id } },
        });
        await expect.poll(() => stack.driver.counts().acknowledged).toBeGreaterThan(before.acknowledged);
        expect(stack.driver.counts().delivered).toBeGreaterThan(before.delivered);
      });

      test('no word that was planted, and no key, gets into a log', () =>
        canaryTour(target().baseUrl, stack.functions.worker.url));

      test('the same message ten times, five at once, makes one call and is always answered 204', async () => {
        const prompt = 'ten times the same';
        const id = await submit(target().baseUrl, request('gpt-4o', prompt));
        const deliver = () => push(stack.functions.worker.url, id);
        const first = await Promise.all([1, 2, 3, 4, 5].map(deliver));
        const view = await pollToEnd(target().baseUrl, id);
        const second = await Promise.all([1, 2, 3, 4, 5].map(deliver));
        expect([...first, ...second]).toEqual(Array(10).fill(204));
        expect(view).toMatchObject({ status: 'completed', attempts: [{ n: 1, calls: 1 }] });
        expect(await pollToEnd(target().baseUrl, id)).toEqual(view);
        expect(provider().callsAbout(prompt)).toBe(1);
      });

      test('W01: a job whose worker was killed with -9 in its call runs again after lease, grace and one sweep', async () => {
        const id = await submit(target().baseUrl, request('simulated', 'Survive. [simulate seconds=3]'));
        await pollUntil(target().baseUrl, id, (view) => view.status === 'processing');
        const worker = stack.functions.worker.child();
        const died = new Promise((resolve) => worker.once('exit', (_, signal) => resolve(signal)));
        worker.kill('SIGKILL');
        const killedMs = Date.now();
        expect(await died).toBe('SIGKILL');
        const again = await pollUntil(target().baseUrl, id, ({ attempts }) => attempts.length === 2, 40_000);
        // The worker is started again meanwhile; the machine is busy with others.
        const atMostMs = Number(LEASE_MS) + LEASE_GRACE_MS + readConfig({}).sweepMs;
        expect(Date.parse(again.attempts[1]?.started_at ?? '') - killedMs).toBeLessThan(atMostMs + 3_000);
        const view = await pollToEnd(target().baseUrl, id, 40_000);
        expect(view).toMatchObject({
          status: 'completed',
          attempts: [
            { n: 1, outcome: 'lost' },
            { n: 2, outcome: 'completed' },
          ],
        });
      }, 60_000);

      test('no log line holds a prompt, an answer or a key', () => {
        const logged = lines.join('\n');
        expect(logged).toContain('job-finished');
        for (const secret of ['sk-test', 'sk-secret', 'ten times the same', 'one of many', 'The analysis shows']) {
          expect(logged).not.toContain(secret);
        }
      });

      test('jobs published straight to Pub/Sub: twice, with a key, malformed, of an unknown type, to no topic', async () => {
        const bad = crypto.randomUUID();
        const acknowledged = stack.intake.counts().acknowledged;
        const client = new PubSub({ projectId: PROJECT(), apiEndpoint: emulators().pubsub, emulatorMode: true });
        const topic = client.topic('llm-jobs-submissions');
        const job = { ...request('gpt-4o-mini', 'published twice.'), job_type: 'general_llm_request' } as const;
        const { jobId, messageId } = await publishJob(topic, job, { attributes: { from: 'a test' } });
        const again = await publishJob(topic, { ...job, job_id: jobId });
        expect([again.jobId, again.messageId === messageId]).toEqual([jobId, false]);
        const keyed = await publishJob(topic, { ...job, model_id: 'simulated', idempotency_key: `of-${jobId}` });
        expect(keyed.jobId).toBeUndefined();
        await topic.publishMessage({ data: Buffer.from('{"job_type":') });
        await topic.publishMessage({ json: { ...job, job_id: bad, job_type: 'magic' } });
        await expect.poll(() => stack.intake.counts().acknowledged, { timeout: 20_000 }).toBe(acknowledged + 5);
        const nowhere = await publishJob(client.topic('nowhere'), { ...job, job_id: jobId }).catch((error) => error);
        expect(nowhere).toMatchObject({ code: 'no_answer', jobId, cause: { code: 5 } });
        await client.close();

        expect(await createClient(target()).wait(jobId)).toMatchObject({
          status: 'completed',
          attempts: [{ n: 1, calls: 1 }],
        });
        expect(provider().callsAbout('published twice.')).toBe(1);
        expect(await readStatus(target().baseUrl, bad)).toMatchObject({
          status: 'failed',
          job_type: 'magic',
          error_code: 'invalid_request',
          error_message: expect.stringContaining('job_type: must be one of'),
        });
        const listed = await fetch(`${target().baseUrl}/api/llm/jobs/?status=failed&limit=100`);
        const { jobs } = (await listed.json()) as { jobs: { error_message: string }[] };
        expect(jobs.filter((job) => job.error_message === 'the message is not JSON')).toHaveLength(1);
      });

      largeTests(
        () => target().baseUrl,
        async (submission) => {
          const client = new PubSub({ projectId: PROJECT(), apiEndpoint: emulators().pubsub, emulatorMode: true });
          await client.topic('llm-jobs-submissions').publishMessage({ json: submission });
          await client.close();
        },
      );

      test("a compressed body gets our error, not the framework's page", async () => {
        const response = await fetch(`${stack.functions.submit.url}/api/llm/jobs/submit/`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' },
          body: 'x',
        });
        expect(response.status).toBe(415);
        expect(await response.json()).toMatchObject({ success: false, code: 'unsupported_media_type' });
      });

      test('the default door serves reads and writes from one function', async () => {
        const api = await startFunction({ name: 'api', environment, onLine: () => {} });
        try {
          const id = await submit(api.url, request('simulated', 'Through one door.'));
          expect(await pollToEnd(api.url, id)).toMatchObject({ status: 'completed' });
        } finally {
          await api.stop();
        }
      });

      test('the worker also runs as a cloudevent function, in every envelope', async () => {
        const worker = await startFunction({
          name: 'worker',
          signatureType: 'cloudevent',
          environment,
          onLine: () => {},
        });
        // Its doorbells go to a topic that does not exist, so that only the delivery under test can run a job.
        const unheard = googleRuntime(readConfig({ ...environment, JOBS_TOPIC: 'nobody-listens' }));
        try {
          for (const deliver of [push, pushStructured, pushBinary]) {
            const submitted = await unheard.service.submit(LOCAL, {
              jobType: 'general_llm_request',
              model: 'simulated',
              input: { prompt: 'Hello.' },
            });
            const { id } = submitted.job;
            expect(await readStatus(target().baseUrl, id)).toMatchObject({ status: 'pending' });
            expect(await deliver(worker.url, id)).toBe(204);
            expect(await readStatus(target().baseUrl, id)).toMatchObject({ status: 'completed' });
          }
        } finally {
          await unheard.close();
          await worker.stop();
        }
      });
    },
  );

  const PROJECT = () => environment.GOOGLE_CLOUD_PROJECT ?? '';

  async function documentOf(id: string): Promise<unknown> {
    const path = `projects/${environment.GOOGLE_CLOUD_PROJECT}/databases/(default)/documents/jobs/default~${id}`;
    const response = await fetch(`http://${emulators().firestore}/v1/${path}`, {
      headers: { Authorization: 'Bearer owner' },
    });
    return response.json();
  }
});

const bodyOf = (id: string) => encodeDoorbell({ tenant: 'default', id }, '1', 1);

async function post(url: string, body: unknown, headers: Record<string, string>): Promise<number> {
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  await response.arrayBuffer();
  return response.status;
}

function push(url: string, id: string): Promise<number> {
  return post(`${url}/projects/demo/topics/llm-jobs`, bodyOf(id), { 'content-type': 'application/json' });
}

const EVENT = {
  id: '1',
  specversion: '1.0',
  type: 'google.cloud.pubsub.topic.v1.messagePublished',
  source: '//pubsub',
};

function pushStructured(url: string, id: string): Promise<number> {
  return post(url, { ...EVENT, data: bodyOf(id) }, { 'content-type': 'application/cloudevents+json' });
}

function pushBinary(url: string, id: string): Promise<number> {
  const headers = Object.fromEntries(Object.entries(EVENT).map(([name, value]) => [`ce-${name}`, value]));
  return post(url, bodyOf(id), { 'content-type': 'application/json', ...headers });
}
