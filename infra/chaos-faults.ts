/** What a chaos run breaks. Each fault heals by itself; what is broken already is not broken again meanwhile. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../test/simulation/random.ts';
import type { ProviderCall } from './chaos-provider.ts';
import { type ChaosWorker, type ChaosWorld, LEASE_MS, LOCAL } from './chaos-world.ts';
import { signalGroup } from './child-processes.ts';
import type { TcpProxy } from './tcp-proxy.ts';

/** One worker is killed, stopped and continued, told to end, cut off from the store, or both of the latter; … */
export type WorkerFault = 'kill' | 'pause' | 'drain' | 'cut off' | 'pause cut off';
/** … the store does not run, cannot be reached, cannot be heard, or not by old connections; the queue is empty, or cannot be reached; … */
export type Outage = 'freeze store' | 'cut store' | 'hold store' | 'strand store' | 'restart queue' | 'cut queue';
/** … another function is killed; many copies of doorbells are rung. */
export type Fault = WorkerFault | Outage | 'kill function' | 'ring';

export type Breaker = {
  /** Breaks something; resolves when it is whole again. Answers whether there was something to break. */
  breakOne(fault: Fault): Promise<boolean>;
  /** How often each happened, and how often it hit a worker that held a job. */
  counts(fault: Fault): { done: number; hit: number };
  /** Heals everything, and breaks nothing any more. */
  stop(): Promise<void>;
};

export type BreakerOptions = {
  world: ChaosWorld;
  luck: Chance;
  /** Jobs that clients know of. */
  knownIds(): readonly string[];
};

/** A lease that nobody renewed is taken over after its grace, with the next sweep; then a call is made. */
const PAST_LEASE_MS = [LEASE_MS + 2_500, LEASE_MS + 6_000] as const;
const OUTAGE_MS = [1_000, 6_000] as const;
/** So long a fault waits for a worker that holds a job. */
const HIT_PATIENCE_MS = 3_000;
const LOOK_MS = 25;
/** A worker has read by then what the provider wrote. */
const ANSWERS_READ_MS = [200, 600] as const;
/** So long a pause goes on at most until the jobs are another's. */
const TAKEN_PATIENCE_MS = 15_000;
/** Of the workers, this many are left alone at least. */
const WHOLE_LEAST = 1;

export function breaker({ world, luck, knownIds }: BreakerOptions): Breaker {
  const { workers, functions, wire, queueWire, provider, own, config } = world;
  const counts = new Map<Fault, { done: number; hit: number }>();
  const broken = new Set<ChaosWorker>();
  const outages = new Set<'store' | 'queue'>();
  const underWay = new Set<Promise<unknown>>();
  const stopped = new AbortController();

  setMaxListeners(0, stopped.signal);
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopped.signal }).catch(() => undefined);
  const between = ([least, most]: readonly [number, number]) => pause(luck.between(least, most));
  const holdsJob = ({ number }: ChaosWorker) => provider.underWay(number) > 0;
  const signal = ({ process }: ChaosWorker, name: NodeJS.Signals) => signalGroup(process.child(), name);

  /** A worker that nothing is wrong with, one that holds so many jobs if there is one in a while. */
  async function victim(jobs: number): Promise<ChaosWorker | undefined> {
    const untilMs = performance.now() + HIT_PATIENCE_MS;
    for (;;) {
      const whole = workers.filter((worker) => !broken.has(worker));
      const holders = whole.filter(({ number }) => provider.underWay(number) >= jobs);
      if (stopped.signal.aborted) return undefined;
      if (holders.length > 0) return luck.pick(holders);
      if (performance.now() > untilMs) return whole.length > 0 ? luck.pick(whole) : undefined;
      await pause(LOOK_MS);
    }
  }

  function note(fault: Fault, isHit: boolean): void {
    const { done, hit } = counts.get(fault) ?? { done: 0, hit: 0 };
    counts.set(fault, { done: done + 1, hit: hit + Number(isHit) });
  }

  /** Breaks one worker while others work; a short harm is over when it is done. */
  async function harm(
    fault: Fault,
    act: (worker: ChaosWorker) => Promise<void>,
    { isLong = true, jobs = 1 } = {},
  ): Promise<boolean> {
    const isEnough = () => broken.size >= workers.length - WHOLE_LEAST;
    if (isLong && isEnough()) return false;
    const worker = await victim(jobs);
    if (!worker || (isLong && isEnough())) return false;
    if (isLong) broken.add(worker);
    note(fault, holdsJob(worker));
    try {
      await act(worker);
    } finally {
      if (isLong) broken.delete(worker);
    }
    return true;
  }

  async function outage(fault: Fault, of: 'store' | 'queue', act: () => Promise<unknown>): Promise<boolean> {
    if (outages.has(of)) return false;
    outages.add(of);
    note(fault, workers.some(holdsJob));
    try {
      await act();
    } finally {
      outages.delete(of);
    }
    return true;
  }

  async function paused(worker: ChaosWorker, beforeItGoesOn = async () => {}): Promise<void> {
    signal(worker, 'SIGSTOP');
    await between(PAST_LEASE_MS);
    await beforeItGoesOn();
    signal(worker, 'SIGCONT');
  }

  /** Resolves when another worker has made a call, after the first `before`, for one of these, or after a while. */
  async function takenOver(held: readonly ProviderCall[], before: number): Promise<void> {
    const taken = (call: ProviderCall) => held.some(({ mark, worker }) => mark === call.mark && worker !== call.worker);
    const untilMs = performance.now() + TAKEN_PATIENCE_MS;
    while (!provider.calls.slice(before).some(taken) && performance.now() < untilMs) {
      if (held.length === 0 || stopped.signal.aborted) return;
      await pause(LOOK_MS);
    }
  }

  async function unplugged(how: 'cut' | 'hold' | 'strand', cables: readonly TcpProxy[]): Promise<void> {
    for (const cable of cables) cable[how]();
    await between(OUTAGE_MS);
    for (const cable of cables) cable.open();
  }

  async function ring(): Promise<boolean> {
    const ids = knownIds();
    if (ids.length === 0) return false;
    note('ring', false);
    const copies = Array.from({ length: 4 }, () => luck.pick(ids)).flatMap((id) => Array(10).fill(id) as string[]);
    const { tenant } = LOCAL;
    await Promise.all(copies.map((job_id) => world.publish(config.jobsTopic, { tenant, job_id })));
    return true;
  }

  /** From all workers, or from the other functions, too: their wires to the store. */
  const wires = () => [wire, ...workers.filter((worker) => !broken.has(worker)).map((worker) => worker.wire)];

  const acts: Record<Fault, () => Promise<boolean>> = {
    kill: () => harm('kill', async (worker) => signal(worker, 'SIGKILL'), { isLong: false }),
    pause: () => harm('pause', (worker) => paused(worker)),
    drain: () => harm('drain', async (worker) => signal(worker, 'SIGTERM'), { isLong: false }),
    'cut off': () =>
      harm('cut off', async (worker) => {
        await unplugged(luck.pick(['cut', 'hold', 'strand']), [worker.wire]);
      }),
    // Its answers come while it cannot write them; it is stopped with them in its hands, and goes on writing when its jobs
    // are another's.
    'pause cut off': () =>
      harm(
        'pause cut off',
        async (worker) => {
          const before = provider.calls.length;
          const held = provider.calls.filter((call) => call.worker === worker.number && call.end === 'under way');
          worker.wire.cut();
          provider.hurry(worker.number);
          await between(ANSWERS_READ_MS);
          await paused(worker, async () => {
            await takenOver(held, before);
            worker.wire.open();
          });
        },
        { jobs: 3 },
      ),
    'kill function': async () => {
      const { submit, status, stream, deadLetter, sweeper } = functions;
      note('kill function', false);
      signalGroup(luck.pick([submit, submit, status, status, sweeper, sweeper, stream, deadLetter]).child(), 'SIGKILL');
      return true;
    },
    'freeze store': async () => {
      if (!own) return false;
      return outage('freeze store', 'store', async () => {
        own.firestore.signal('SIGSTOP');
        await between(OUTAGE_MS);
        own.firestore.signal('SIGCONT');
      });
    },
    'cut store': () => outage('cut store', 'store', () => unplugged('cut', wires())),
    'hold store': () => outage('hold store', 'store', () => unplugged('hold', wires())),
    'strand store': () => outage('strand store', 'store', () => unplugged('strand', wires())),
    'restart queue': async () => {
      if (!own) return false;
      return outage('restart queue', 'queue', own.restartPubsub);
    },
    'cut queue': () => outage('cut queue', 'queue', () => unplugged(luck.pick(['cut', 'hold', 'strand']), [queueWire])),
    ring,
  };

  return {
    breakOne(fault) {
      if (stopped.signal.aborted) return Promise.resolve(false);
      const doing = acts[fault]();
      underWay.add(doing);
      return doing.finally(() => underWay.delete(doing));
    },
    counts: (fault) => counts.get(fault) ?? { done: 0, hit: 0 },
    async stop() {
      stopped.abort();
      await Promise.allSettled(underWay);
    },
  };
}
