/** Q05 with real processes: killed at the instant at which any part of an input or a result has been stored. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FunctionProcess } from '../../infra/function-process.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import type { Job } from '../../shared/core/job.ts';
import { removeOrphans } from '../../shared/core/orphans.ts';
import { valueIn } from '../../shared/core/parts.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { type GrpcProxy, startGrpcProxy } from '../support/grpc-proxy.ts';
import { pollToEnd, request, warmUp } from '../support/http-client.ts';
import { firestoreStores } from '../support/stores.ts';

const PARTS = [1, 2, 3];
/** Of what comes to three parts. */
const KILOBYTES = 2_000;
const LOCAL = 'default';

describeOnEmulators('on the emulators,', () => {
  let proxy: GrpcProxy;
  let stack: TestStack;
  let stores: ReturnType<typeof firestoreStores>;

  beforeAll(async () => {
    const { pubsub, firestore } = emulators();
    proxy = await startGrpcProxy(firestore);
    stack = await startTestStack({ LEASE_MS: '3000', SIMULATED_MS: '300' }, { pubsub, firestore: proxy.host });
    stores = firestoreStores({ projectId: stack.environment.GOOGLE_CLOUD_PROJECT ?? '', emulatorHost: firestore });
    await warmUp(stack.baseUrl);
  });
  afterAll(async () => {
    await stores?.close();
    await stack?.stop();
    await proxy?.close();
  });

  /** Kills a process when part n of a set whose name begins so has been stored, before it hears of it. */
  function killAt(n: number, set: RegExp, { child }: FunctionProcess): { pid: number | undefined } {
    const { pid } = child();
    proxy.loseAnswer(({ method, message }) => {
      const isIt = method === 'Commit' && set.exec(message.toString('latin1'))?.[1] === `000${n}`;
      if (isIt) child().kill('SIGKILL');
      return isIt;
    });
    return { pid };
  }

  const documentOf = async (id: string): Promise<Job> => {
    const found = await stores.store.get({ tenant: LOCAL, id });
    if (!found) throw new Error('there is no document');
    return found.job;
  };

  /** Nothing but what documents name is left when the hour is over after which sets are checked. */
  async function expectNoOrphans(most: number): Promise<void> {
    const left = await stores.parts.unchecked(Date.now() * 2, 100);
    expect(left.length).toBeGreaterThan(most);
    for (const key of left) await stores.parts.check(key, 1);
    await removeOrphans({ ...stores, clock: systemClock(), log: () => {} });
    const there = await Promise.all(left.map(async (key) => ((await stores.parts.get(key, 1)) === undefined ? 0 : 1)));
    expect(there.reduce<number>((sum, one) => sum + one, 0)).toBe(most);
    expect(await stores.parts.unchecked(Date.now() * 2, 100)).toEqual([]);
  }

  test('the worker, at each part of a result: attempt 2 completes, whole, and no orphan stays', async () => {
    for (const n of PARTS) {
      const before = killAt(n, /\/parts\/1-[0-9a-f-]{36}-(\d{4})/, stack.functions.worker);
      const job_id = crypto.randomUUID();
      await put(job_id, `Go on. [simulate kilobytes=${KILOBYTES} seconds=1]`);
      const view = await pollToEnd(stack.baseUrl, job_id, 60_000);
      expect(proxy.lost()).toBe(n);
      expect(stack.functions.worker.child().pid).not.toBe(before.pid);
      expect(view).toMatchObject({
        status: 'completed',
        attempts: [
          { n: 1, calls: 1, outcome: 'lost' },
          { n: 2, calls: 1, outcome: 'completed' },
        ],
      });
      expect(Buffer.byteLength(view.result_data?.result ?? '')).toBeGreaterThanOrEqual(KILOBYTES * 1_000);
      expect((await documentOf(job_id)).parts?.result?.name).toMatch(/^2-/);
    }
    await expectNoOrphans(PARTS.length);
  }, 200_000);

  test('the submit function, at each part of an input: the repeat makes one job, which completes', async () => {
    const lostBefore = proxy.lost();
    for (const n of PARTS) {
      killAt(n, /\/parts\/0-[0-9a-f-]{36}-(\d{4})/, stack.functions.submit);
      const job_id = crypto.randomUUID();
      const prompt = 'x'.repeat(KILOBYTES * 1_000);
      const refused = await put(job_id, prompt, 1);
      expect(refused).not.toBe(202);
      expect(proxy.lost()).toBe(lostBefore + n);
      expect(await stores.store.get({ tenant: LOCAL, id: job_id })).toBeUndefined();
      expect(await put(job_id, prompt)).toBe(202);
      const view = await pollToEnd(stack.baseUrl, job_id, 60_000);
      expect(view).toMatchObject({ status: 'completed', attempts: [{ n: 1, calls: 1 }] });
      const job = await documentOf(job_id);
      const input = job.parts?.input && (await valueIn(stores.parts, job, job.parts.input));
      expect(input).toEqual({ prompt });
    }
    await expectNoOrphans(PARTS.length);
  }, 200_000);

  /** Puts the job until it is taken in, or so often. */
  async function put(id: string, prompt: string, timesMost = 100): Promise<number> {
    let status = 0;
    for (let times = 0; times < timesMost && status !== 202; times++) {
      if (times > 0) await new Promise((resolve) => setTimeout(resolve, 200));
      const answered = fetch(`${stack.baseUrl}/api/llm/jobs/${id}/`, {
        method: 'PUT',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(request('simulated', prompt)),
      }).then(async (response) => {
        await response.arrayBuffer();
        return response.status;
      });
      // Its function died while the body was on its way: no answer.
      status = await answered.catch(() => 0);
    }
    return status;
  }
});
