/** W07 and its like where the store is slow to answer, or does not: a process is told to end with a write on its way. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { describeOnEmulators } from '../support/emulators.ts';
import { pollToEnd, request, submit, type View } from '../support/http-client.ts';
import { type OutageWorld, startOutageWorld } from '../support/outage-world.ts';
import { PACED } from '../support/paced-provider.ts';

const LEASE_MS = 15_000;
const DRAIN_MS = 2_000;
const HELD_MS = 700;
/** What a worker has to hand back its jobs, and what is around it. */
const END_MS_MOST = DRAIN_MS + 5_000;
const PATIENCE_MS = 60_000;

describeOnEmulators('told to end, on the emulators:', () => {
  let world: OutageWorld;

  beforeAll(async () => {
    world = await startOutageWorld({ LEASE_MS: String(LEASE_MS), DRAIN_MS: String(DRAIN_MS) });
  });
  afterEach(async () => {
    world.wire.open();
    await pollToEnd(world.baseUrl, await takenIn('After all.'), PATIENCE_MS);
  });
  afterAll(async () => {
    await world?.stop();
  });

  /** Submits until the processes that take the place of those that ended are there. */
  async function takenIn(prompt: string): Promise<string> {
    for (;;) {
      const id = await submit(world.baseUrl, request(PACED, prompt)).catch(() => undefined);
      if (id) return id;
      await pause(200);
    }
  }

  function end(child: ChildProcess): Promise<{ code: number | null; tookMs: number }> {
    const toldMs = performance.now();
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    return ended.then((code) => ({ code, tookMs: performance.now() - toldMs }));
  }

  /** The worker has an answer that it cannot write, and is told to end. */
  async function endWithAnswer(fault: 'cut' | 'hold') {
    const id = await world.answeredWithoutStore(fault, `Paid, ${fault}.`);
    await pause(200);
    expect((await world.read(id)).state).toBe('processing');
    return { id, ending: end(world.functions.worker.child()) };
  }

  test('W07: a worker whose finish is on its way writes it, and ends', async () => {
    const { id, ending } = await endWithAnswer('hold');
    await pause(HELD_MS);
    expect((await world.read(id)).state).toBe('processing');
    world.wire.open();
    expect((await ending).code).toBe(0);
    expect(world.logged('draining').at(-1)).toMatchObject({ jobs: 1 });
    // By whom it was begun.
    expect(await world.read(id)).toMatchObject({
      state: 'completed',
      attempts: [{ n: 1, calls: 1, outcome: 'completed' }],
    });
    expect(world.provider.callsAbout('Paid, hold.')).toBe(1);
  });

  test('W07: a worker that cannot write its finish ends in time, and the job is done again', async () => {
    const { id, ending } = await endWithAnswer('cut');
    const { code, tookMs } = await ending;
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(END_MS_MOST);
    expect((await world.read(id)).state).toBe('processing');
    world.wire.open();
    expect(await pollToEnd(world.baseUrl, id, PATIENCE_MS)).toMatchObject({
      status: 'completed',
      attempts: [
        { n: 1, calls: 1, outcome: 'lost' },
        { n: 2, calls: 1, outcome: 'completed' },
      ],
    });
    expect(world.provider.callsAbout('Paid, cut.')).toBe(2);
  });

  /** A request is on its way to the store, and the function is told to end. */
  async function endWithin(name: 'submit' | 'status', path: string, init: RequestInit) {
    world.wire.hold();
    const { url, child } = world.functions[name];
    const answer = fetch(`${url}/api/llm/jobs/${path}`, init);
    expect(await Promise.race([answer, pause(HELD_MS, 'nothing')])).toBe('nothing');
    const ending = end(child());
    await pause(HELD_MS);
    world.wire.open();
    const response = await answer;
    const view = (await response.json()) as View;
    expect((await ending).code).toBe(0);
    return { status: response.status, view };
  }

  test('a submit that is being stored is stored, and answered', async () => {
    const headers = { 'Content-Type': 'application/json' };
    const body = JSON.stringify(request(PACED, 'Nearly stored.'));
    const { status, view } = await endWithin('submit', 'submit/', { method: 'POST', headers, body });
    expect(status).toBe(202);
    expect(await pollToEnd(world.baseUrl, view.job_id, PATIENCE_MS)).toMatchObject({ status: 'completed' });
    expect(world.provider.callsAbout('Nearly stored.')).toBe(1);
  });

  test('a status that is being read is answered', async () => {
    const id = await submit(world.baseUrl, request(PACED, 'Running. [seconds=5]'));
    const { status, view } = await endWithin('status', `${id}/status/`, {});
    expect([status, view.job_id]).toEqual([200, id]);
  });
});
