/**
 * R06: a process dies after it wrote the record of a published submission that cannot be understood, and before that
 * message was acknowledged. The message comes again, and there is still one record.
 */
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PushDriver, startPushDriver } from '../../infra/push-driver.ts';
import type { Principal } from '../../shared/core/access.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { type GrpcProxy, startGrpcProxy } from '../support/grpc-proxy.ts';
import { request, warmUp } from '../support/http-client.ts';

const PATIENCE_MS = 40_000;
/** A message that was not acknowledged comes again within this time. */
const QUIET_MS = 5_000;

describeOnEmulators('R06: on the emulators,', () => {
  let firestore: GrpcProxy;
  let stack: TestStack;
  let client: PubSub;
  const drivers: PushDriver[] = [];

  beforeAll(async () => {
    firestore = await startGrpcProxy(emulators().firestore);
    stack = await startTestStack({ LEASE_MS: '15000' }, { ...emulators(), firestore: firestore.host });
    const projectId = stack.environment.GOOGLE_CLOUD_PROJECT ?? '';
    client = new PubSub({ projectId, apiEndpoint: emulators().pubsub, emulatorMode: true });
    await warmUp(stack.baseUrl);
  });
  afterAll(async () => {
    await Promise.all(drivers.map((driver) => driver.stop()));
    await client?.close();
    await stack?.stop();
    await firestore?.close();
  });

  /** What cannot be understood: no JSON, and a message that names its job. */
  const DATA = {
    'that is not JSON': () => '{"job_type":',
    'that names its job': () =>
      JSON.stringify({ ...request('simulated', 'x'), job_id: crypto.randomUUID(), job_type: 'no such type' }),
  };
  const whats = Object.keys(DATA) as (keyof typeof DATA)[];
  const cases = (['worker', 'deadLetter'] as const).flatMap((name) => whats.map((what) => ({ name, what })));

  test.each(cases)('a submission $what, and the end of the function `$name` in between', async ({ name, what }) => {
    const user = `${name} ${what.length}`;
    const topic = `refused-${name.toLowerCase()}-${what.length}`;
    const process = stack.functions[name];
    const driver = await startPushDriver({
      projectId: stack.environment.GOOGLE_CLOUD_PROJECT ?? '',
      ...{ emulatorHost: emulators().pubsub, topic, concurrency: 1, onProblem: () => {} },
      pushUrl: `${process.url}/submissions?user=${encodeURIComponent(user)}`,
    });
    drivers.push(driver);
    const isRecord = ({ method, message }: { method: string; message: Buffer }) =>
      method === 'Commit' && message.includes(user);
    const lost = firestore.lost();
    firestore.withholdAnswer(isRecord);
    const child = process.child();
    await client.topic(topic).publishMessage({ data: Buffer.from(DATA[what]()) });
    await expect.poll(() => firestore.lost(), { timeout: PATIENCE_MS }).toBe(lost + 1);
    const [record] = await recordsOf(user);
    expect(record).toMatchObject({ state: 'failed', version: 1, error: { code: 'invalid_request' } });
    expect(driver.counts()).toMatchObject({ delivered: 1, acknowledged: 0 });
    child.kill('SIGKILL');

    await expect.poll(() => driver.counts(), { timeout: PATIENCE_MS }).toMatchObject({ acknowledged: 1 });
    expect(child.signalCode).toBe('SIGKILL');
    expect(driver.counts().delivered).toBeGreaterThan(1);
    expect(firestore.calls.filter(isRecord).length).toBeGreaterThan(1);
    const { delivered } = driver.counts();
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    expect(driver.counts()).toMatchObject({ delivered, acknowledged: 1 });
    expect(await recordsOf(user)).toEqual([record]);
  });

  async function recordsOf(user: string) {
    const principal: Principal = { tenant: 'default', user, scopes: [] };
    const { jobs } = await stack.unheard.service.list(principal, { limit: 100, offset: 0 });
    return jobs.map(({ job }) => job);
  }
});
