/** B07: many claims and finishes at once on one slot set, from processes with connections of their own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import { type Instance, startInstance } from '../scenarios/instance.ts';
import { type RecordedWrite, recorded } from '../scenarios/invariants.ts';
import { mostRunning } from '../scenarios/slots.ts';
import { ADA, answer } from '../support/core-world.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';
import { firestoreStores, type Stores } from '../support/stores.ts';

const PROCESSES = 3;

async function* slowly(): AsyncIterable<LlmPart> {
  await new Promise((resolve) => setTimeout(resolve, 30));
  yield* answer();
}

describeOnEmulators('three processes', () => {
  const writes: RecordedWrite[] = [];
  const lines: string[] = [];
  const doorbells: JobKey[] = [];
  let stores: Stores[] = [];
  let instances: Instance[] = [];

  beforeAll(async () => {
    const { projectId, firestoreEmulatorHost: emulatorHost } = emulatorConfig();
    stores = Array.from({ length: PROCESSES }, () => firestoreStores({ projectId, emulatorHost, deadlineMs: 20_000 }));
    await Promise.all(stores.map(({ store }) => store.slots('default')));
    instances = stores.map(({ store, chunks, parts, leaders, estimateStore, accounts }, n) => {
      const name = `process-${n}`;
      const around = {
        ...{ name, clock: systemClock(), leaseMs: 60_000, wakeShards: 16, random: Math.random, lines, retry: {} },
        ...{ store: recorded(store, name, writes), chunks, parts, leaders, estimateStore, accounts },
        ...{ queue: { publish: async (key: JobKey) => void doorbells.push(key) } },
        ...{ provider: { generate: slowly }, limits: new Map([['*', 3]]) },
      };
      return startInstance(around, {});
    });
  });
  afterAll(async () => {
    for (const { service, worker } of instances) {
      service.close();
      worker.close();
    }
    await Promise.all(stores.map(({ close }) => close()));
  });

  test('B07 50 claims at once, and their finishes: nothing surfaces, none is lost, never more than 3 run', async () => {
    const [main] = instances as [Instance];
    const jobs: Job[] = [];
    for (let n = 0; n < 50; n++) {
      const submission = { jobType: 'general_llm_request', model: 'simulated', input: { prompt: `job ${n}` } };
      jobs.push((await main.service.submit(ADA, submission)).job);
    }
    const outcomes: WorkOutcome[] = [];
    const running = new Set<Promise<unknown>>();
    for (let turn = 0; doorbells.length > 0 || running.size > 0; ) {
      for (const key of doorbells.splice(0)) {
        const run = (instances[turn++ % PROCESSES] as Instance).run(key).then((outcome) => outcomes.push(outcome));
        running.add(run);
        void run.finally(() => running.delete(run)).catch(() => {});
      }
      await Promise.race(running);
    }
    // Nobody swept.
    const found = await stores[0]?.store.getMany(jobs);
    expect(found?.map((one) => one?.job.state)).toEqual(jobs.map(() => 'completed'));
    const kinds = new Set(outcomes.map((outcome) => JSON.stringify(outcome)));
    expect([...kinds].sort()).toEqual(['{"finished":"completed"}', '{"refused":"parked"}']);
    expect(mostRunning({ isVirtual: false, writes }, jobs)).toBe(3);
    expect(await stores[0]?.store.slots('default')).toMatchObject({ running: {}, expired: [] });
    // They did meet.
    const refused = writes.filter((write) => write.refused !== undefined);
    expect(refused.length).toBeGreaterThan(0);
  });
});
