/** What Pub/Sub gives up after five refusals: a dead doorbell changes nothing, a dead submission is taken in after all. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deadLettersOf, type PushDriver, startPushDriver } from '../../infra/push-driver.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { pollToEnd, pollUntil, readStatus, request, submit, type View, warmUp } from '../support/http-client.ts';

/** The fewest that Pub/Sub takes; with pauses of 1, 2, 4 and 8 s between them. */
const DELIVERIES_MOST = 5;
const PATIENCE_MS = 40_000;
const DOORBELLS = 'refused-doorbells';
const SUBMISSIONS = 'refused-submissions';

describeOnEmulators('on the emulators,', () => {
  let stack: TestStack;
  /** In the place of a worker that is down. */
  let refuser: Server;
  let refusals = 0;
  let drivers: PushDriver[];
  let client: PubSub;

  beforeAll(async () => {
    stack = await startTestStack({ LEASE_MS: '3000', SIMULATED_MS: '100' });
    refuser = createServer((_, response) => {
      refusals += 1;
      response.writeHead(503).end();
    });
    await new Promise<void>((resolve) => refuser.listen(0, '127.0.0.1', resolve));
    const refuserUrl = `http://127.0.0.1:${(refuser.address() as AddressInfo).port}`;
    const rescuer = stack.functions.deadLetter.url;
    const projectId = stack.environment.GOOGLE_CLOUD_PROJECT ?? '';
    const emulatorHost = emulators().pubsub;
    const push = (topic: string, pushUrl: string, deliveriesMost: number | 'never') =>
      startPushDriver({
        ...{ projectId, emulatorHost, topic, pushUrl, deliveriesMost },
        concurrency: 10,
        onProblem: () => {},
      });
    drivers = await Promise.all([
      push(DOORBELLS, refuserUrl, DELIVERIES_MOST),
      push(SUBMISSIONS, refuserUrl, DELIVERIES_MOST),
    ]);
    drivers.push(
      await push(deadLettersOf(DOORBELLS), rescuer, 'never'),
      await push(deadLettersOf(SUBMISSIONS), `${rescuer}/submissions`, 'never'),
    );
    client = new PubSub({ projectId, apiEndpoint: emulatorHost, emulatorMode: true });
    await warmUp(stack.baseUrl);
  });
  afterAll(async () => {
    await client?.close();
    await Promise.all((drivers ?? []).map((driver) => driver.stop()));
    refuser?.close();
    await stack?.stop();
  });

  async function failedFor(reason: string): Promise<View[]> {
    const response = await fetch(`${stack.baseUrl}/api/llm/jobs/?status=failed&limit=100`);
    const { jobs } = (await response.json()) as { jobs: View[] };
    return jobs.filter((job) => job.error_message === reason);
  }

  test('after five refusals a doorbell is dead, and a submission is taken in by the dead-letter function', async () => {
    const published = crypto.randomUUID();
    const running = await submit(stack.baseUrl, request('simulated', 'Long. [simulate seconds=40]'));
    const { version } = await pollUntil(stack.baseUrl, running, (view) => view.status === 'processing');
    const topic = client.topic(SUBMISSIONS);
    await client.topic(DOORBELLS).publishMessage({ json: { tenant: 'default', job_id: running } });
    await topic.publishMessage({ json: { ...request('simulated', 'Take me in.'), job_id: published } });
    await topic.publishMessage({ data: Buffer.from('{"job_type":') });

    await expect.poll(() => stack.logged('doorbell-dead').length, { timeout: PATIENCE_MS }).toBe(1);
    expect(stack.logged('doorbell-dead')[0]).toMatchObject({ job_id: running, deliveries: expect.any(String) });
    // Its call is being made all the while.
    expect(await readStatus(stack.baseUrl, running)).toMatchObject({
      status: 'processing',
      version,
      attempts: [{ n: 1, calls: 1 }],
    });

    await expect
      .poll(async () => (await readStatus(stack.baseUrl, published)).status, { timeout: PATIENCE_MS })
      .toBe('completed');
    expect(await readStatus(stack.baseUrl, published)).toMatchObject({
      result_data: { result: expect.stringContaining('Take me in.') },
      attempts: [{ n: 1, calls: 1, outcome: 'completed' }],
    });
    await expect.poll(() => failedFor('the message is not JSON'), { timeout: PATIENCE_MS }).toHaveLength(1);
    expect(refusals).toBeGreaterThanOrEqual(3 * DELIVERIES_MOST);
    await expect.poll(() => drivers[3]?.counts()).toMatchObject({ delivered: 2, acknowledged: 2 });
    await fetch(`${stack.baseUrl}/api/llm/jobs/${running}/cancel/`, { method: 'POST' });
    expect(await pollToEnd(stack.baseUrl, running)).toMatchObject({ status: 'cancelled', attempts: [{ n: 1 }] });
  }, 120_000);

  test('a dead submission that comes again makes no second job, and an unreadable one no second record', async () => {
    const send = async (data: string, messageId: string) => {
      const message = { data: Buffer.from(data).toString('base64'), messageId };
      const response = await fetch(`${stack.functions.deadLetter.url}/submissions?user=reports`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ message, subscription: 'dead' }),
      });
      return response.status;
    };
    const good = JSON.stringify(request('simulated', 'Twice.'));
    const statuses = [await send(good, 'a'), await send(good, 'a'), await send('{', 'b'), await send('{', 'b')];
    expect(statuses).toEqual([204, 204, 204, 204]);
    const { jobs } = await stack.unheard.service.list(
      { tenant: 'default', user: 'reports', scopes: [] },
      { limit: 100, offset: 0 },
    );
    expect(jobs).toHaveLength(2);
    expect(jobs.filter(({ job }) => job.state === 'failed')).toHaveLength(1);
  });
});
