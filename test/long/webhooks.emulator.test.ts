/** 1,000 jobs with webhooks and an events topic, on workers that are killed and a receiver that fails, hangs and dies. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toTable } from '../../infra/chaos-table.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import { LOCAL } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { ask, request, warmUp } from '../support/http-client.ts';
import { wrongTold } from '../support/told-check.ts';
import { openToldWorld, type ToldWorld, WORKERS } from '../support/told-world.ts';
import type { HookEvent, Manner } from '../support/webhook-receiver.ts';

const JOBS = Number(process.env.WEBHOOK_JOBS ?? 1_000);
const CLIENTS = 5;
const EVENTS = ['job.started', 'job.completed', 'job.failed', 'job.cancelled'];
/** Random kills, each when its share of the jobs is submitted; between them others at chosen moments. */
const KILLS = 12;
const KILLS_AT = ['receipt', 'answer', 'receipt', 'answer'] as const;
const AWAY_MS = 3_000;
const LOOKS_AT_ONCE = 10;
/** A second failure of the same event is tried again after minutes; its owner need not wait for that. */
const LONG_PAUSE_MS = 60_000;

describeOnEmulators('on the emulators,', () => {
  let world: ToldWorld;
  beforeAll(async () => {
    world = await openToldWorld();
    await warmUp(world.stack.baseUrl);
  }, 90_000);
  afterAll(() => world?.close());

  const ids: string[] = [];
  const read = async (id: string): Promise<Job> => (await world.stack.unheard.service.read(LOCAL, id)).job;

  /** Again after each 503, as the README tells clients to do. */
  async function put(body: object): Promise<string> {
    const id = crypto.randomUUID();
    for (;;) {
      const init = { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
      const { status } = await fetch(`${world.stack.baseUrl}/api/llm/jobs/${id}/`, init);
      if (status === 202) return id;
      expect(status).toBe(503);
      await pause(1_000);
    }
  }

  /** Of five jobs one fails, one is cancelled at once, one in the middle, and two complete. */
  async function submitAll(): Promise<void> {
    const { baseUrl } = world.stack;
    const webhook = { url: world.receiver.url, events: EVENTS };
    let next = 0;
    const client = async () => {
      for (let n = next++; n < JOBS; n = next++) {
        const script = [`seconds=${(n % 7) / 4}`, 'fail=auth', 'seconds=2', 'seconds=4', `seconds=${n % 3}`][n % 5];
        const id = await put({ ...request('simulated', `Tell of ${n}. [simulate ${script}]`), webhook });
        ids.push(id);
        if (n % 5 === 3) await pause(1_000);
        if (n % 5 === 2 || n % 5 === 3) await ask(baseUrl, `/api/llm/jobs/${id}/cancel/`, {});
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  }

  const untilShare = async (share: number) => {
    while (ids.length < share * JOBS) await pause(20);
  };

  /** Answers how many of the kills hit a worker with attempts under way. */
  async function killWorkers(): Promise<{ kills: number; hits: number }> {
    let [kills, hits] = [0, 0];
    for (let n = 0; n < KILLS; n++) {
      await untilShare((n + 1) / (KILLS + 2));
      await pause(Math.random() * 1_000);
      const held = await world.kill(n % WORKERS);
      kills += 1;
      if (held > 0) hits += 1;
    }
    return { kills, hits };
  }

  async function killTellers(): Promise<HookEvent[]> {
    const killed: HookEvent[] = [];
    for (const [n, moment] of KILLS_AT.entries()) {
      await untilShare((n + 0.5) / KILLS_AT.length);
      killed.push(await world.killAllAt(moment));
    }
    return killed;
  }

  async function takeReceiverAway(): Promise<number> {
    await untilShare(0.45);
    await world.receiver.away();
    const refusedBefore = failuresLogged('network');
    await pause(AWAY_MS);
    const refused = failuresLogged('network') - refusedBefore;
    await world.receiver.open();
    return refused;
  }

  const failuresLogged = (why: string) =>
    world.stack.logged('webhook-failed').filter((line) => line.why === why).length;

  /** Resolves with the documents when all are over and nobody has to be told anything; answers who had to be asked. */
  async function untilTold(): Promise<{ jobs: Job[]; redelivered: string[] }> {
    const jobs = new Map<string, Job>();
    const redelivered = new Set<string>();
    async function look(id: string): Promise<void> {
      const job = await read(id);
      const { outbox } = job;
      if (isTerminal(job.state) && !outbox) jobs.set(id, job);
      if (!outbox || outbox.token !== undefined || redelivered.has(id)) return;
      if (outbox.tries < 2 || outbox.dueAt - Date.now() < LONG_PAUSE_MS) return;
      const { status } = await ask(world.stack.baseUrl, `/api/llm/jobs/${id}/redeliver/`, {});
      if (status === 503) return;
      expect(status).toBe(202);
      redelivered.add(id);
    }
    while (jobs.size < ids.length) {
      const open = ids.filter((id) => !jobs.has(id));
      for (let n = 0; n < open.length; n += LOOKS_AT_ONCE) {
        await Promise.all(open.slice(n, n + LOOKS_AT_ONCE).map(look));
      }
      await pause(1_000);
    }
    return { jobs: [...jobs.values()], redelivered: [...redelivered] };
  }

  test(`${JOBS} jobs: each event of each state comes to the webhook and to the topic, none of a state that never was`, async () => {
    const { receiver, published, stack } = world;
    const startedMs = performance.now();
    const [, random, killed, refused] = await Promise.all([
      submitAll(),
      killWorkers(),
      killTellers(),
      takeReceiverAway(),
    ]);
    const loadMs = performance.now() - startedMs;
    const { jobs, redelivered } = await untilTold();
    const { receipts } = receiver;
    const ours = new Set(ids);
    const evidence = {
      jobs: jobs.map(({ id, state, version, attempt }) => ({ id, status: state, version, wasStarted: attempt > 0 })),
      receipts,
      published: published.filter(({ attributes }) => ours.has(attributes.job_id ?? '')),
    };
    await expect.poll(() => wrongTold(evidence), { timeout: 20_000, interval: 1_000 }).toEqual([]);
    expect(receiver.wrong).toEqual([]);
    // What their owners can see of it.
    for (const { state: type, deliveries = [] } of jobs) expect(deliveries.at(-1)).toMatchObject({ type, status: 204 });
    const failures = new Set(jobs.flatMap(({ deliveries = [] }) => deliveries.map(({ failure }) => failure)));
    expect([...failures]).toEqual(expect.arrayContaining(['status', 'network', 'timeout']));

    const repeats = receipts.length - new Set(receipts.map(({ id }) => id)).size;
    const cameAgain = ({ id }: HookEvent) => receipts.filter((receipt) => receipt.id === id).length > 1;
    const inManner = (manner: Manner) => receipts.filter((receipt) => receipt.manner === manner).length;
    const died = stack.lines.filter((line) => /^worker.* died \(SIGKILL\)/.test(line)).length;
    const count = (state: Job['state']) => jobs.filter((job) => job.state === state).length;
    console.log(
      toTable([
        ['jobs completed / failed / cancelled', `${count('completed')} / ${count('failed')} / ${count('cancelled')}`],
        ['attempts lost', jobs.flatMap(({ attempts }) => attempts).filter(({ outcome }) => outcome === 'lost').length],
        ['workers killed', `${died}, at random ${random.kills}, of which ${random.hits} while jobs were held`],
        ['events', new Set(receipts.map(({ id }) => id)).size],
        ['requests', `${receipts.length}, repeats ${repeats}`],
        [
          'refused / closed / hung / late',
          ['refuse', 'close', 'hang', 'dawdle'].map((m) => inManner(m as Manner)).join(' / '),
        ],
        ['refused while the receiver was away', refused],
        ['published, with repeats', evidence.published.length],
        ['sent again by hand', redelivered.length],
        ['load / all', `${Math.round(loadMs / 1_000)} s / ${Math.round((performance.now() - startedMs) / 1_000)} s`],
      ]).join('\n'),
    );
    expect(jobs).toHaveLength(JOBS);
    for (const state of ['completed', 'failed', 'cancelled'] as const) expect(count(state)).toBeGreaterThan(JOBS / 10);
    // The faults happened, and hit something.
    expect(died).toBeGreaterThanOrEqual(KILLS);
    expect(random.hits).toBeGreaterThan(KILLS / 2);
    // After an answer it may be written down in the milliseconds before the kill is felt: then it need not come again.
    expect(killed).toHaveLength(KILLS_AT.length);
    expect(killed.filter((event, n) => KILLS_AT[n] === 'receipt' && cameAgain(event))).toHaveLength(
      KILLS_AT.length / 2,
    );
    expect(refused).toBeGreaterThan(0);
    for (const manner of ['refuse', 'close', 'hang'] as const) expect(inManner(manner)).toBeGreaterThan(0);
    expect(redelivered.length).toBeLessThan(JOBS / 20);
  }, 900_000);
});
