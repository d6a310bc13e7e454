/** One run of the simulation from one seed: jobs, faults, deaths, and what became of it all. */
import { createHash } from 'node:crypto';
import { steadyClock } from '../../shared/adapters/system-clock.ts';
import { isPutOff } from '../../shared/core/deferring.ts';
import type { Job, Limits } from '../../shared/core/job.ts';
import { type Clock, type JobStore, sleep } from '../../shared/core/ports.ts';
import type { RunningLimits } from '../../shared/core/slots.ts';
import { virtualClock } from '../support/virtual-clock.ts';
import type { Doors } from './doors.ts';
import { equalId } from './equal-jobs.ts';
import { tokensOf } from './money.ts';
import { chance } from './random.ts';
import { limitsOf } from './slots.ts';
import { simulatedWorld } from './world.ts';

export type SimulationOptions = {
  seed: number;
  /** How often a call of a port fails, 0 to 1; deaths and stalls come more often with it, too. */
  faultRate: number;
  jobs?: number;
  pace?: Pace;
  doors?: Doors;
  /** How many jobs may run at once, instead of what the seed says. */
  running?: RunningLimits;
  /** Three of four jobs may share their answers. */
  isShared?: boolean;
  brokenStore?: (store: JobStore) => JobStore;
};

export type SimulationReport = {
  seed: number;
  violations: readonly string[];
  /** How many jobs ended how; failures by their code. */
  ends: Record<string, number>;
  faults: number;
  kills: number;
  pauses: number;
  drains: number;
  /** Jobs that were deleted, and the chunks of the others. */
  deletes: number;
  chunks: number;
  /** Jobs that were made of others. */
  redrives: number;
  /** Jobs that kept nothing (`store: false`), and whose payloads were removed. */
  removals: number;
  zombieWrites: number;
  /** Jobs that reserved and were settled, and jobs for which there was too little. */
  settled: number;
  denied: number;
  /** How often a job had to wait for a slot. */
  parks: number;
  /** How often a job went to another model, and how often it had to wait for one. */
  failovers: number;
  deferrals: number;
  /** Jobs that had the answer of another. */
  answered: number;
  /** How often a job was left to its provider, and how often what it worked on outlived a worker. */
  detaches: number;
  keptOn: number;
  /** How often webhooks were called. */
  posts: number;
  calls: number;
  recordedCalls: number;
  writes: number;
  /** The longest from a cancel that a holder had to hear of to the end of its job. */
  slowestCancelMs: number;
  virtualMs: number;
  /** The writes of the jobs for which something did not hold. */
  story: string[];
};

/** Nobody let a job that was in no hurry come to this. */
const STUCK = ['start_timeout', 'job_timeout'];

/** How fast things happen. */
export type Pace = {
  clock: Clock;
  pass(ms: number): Promise<void>;
  leaseMs: number;
  sweepMs: number;
  submitsWithinMs: number;
  /** So long things go wrong. */
  troubledMs: number;
  /** With nothing failing any more, every accepted job is over by then. */
  patienceMs: number;
  /** After that nothing is left of jobs that keep nothing; absent where nobody waits so long. */
  quietMs?: number;
  slowestMs: number;
  waitsMs: readonly number[];
  skewMs: number;
  silenceMs: number;
  /** Clocks of jobs that ask for none of their own. */
  limits: Partial<Limits>;
};

/** As deployed, but for a sweep each 20 s; no real time passes. */
export function virtualPace(): Pace {
  const clock = virtualClock();
  return {
    ...{ clock, pass: clock.advance, leaseMs: 60_000, sweepMs: 20_000, submitsWithinMs: 120_000, troubledMs: 400_000 },
    // A job's timeout, the longest pause between two rings, a sweep.
    patienceMs: 3_600_000 + 900_000 + 60_000,
    // An hour unread, an attempt, and clocks that are wrong.
    quietMs: 3_600_000 + 600_000 + 600_000,
    ...{ slowestMs: 120_000, waitsMs: [0, 1_500, 20_000, 45_000, 400_000], skewMs: 300_000, silenceMs: 20_000 },
    limits: {},
  };
}

/** In real time, for runs over real sockets: a doorbell that was lost is rung after 30 s, and then after a minute. */
export function realPace(): Pace {
  const clock = steadyClock();
  return {
    ...{ clock, pass: (ms: number) => sleep(clock, ms), leaseMs: 1_500, sweepMs: 400, submitsWithinMs: 4_000 },
    ...{ troubledMs: 10_000, patienceMs: 200_000, slowestMs: 3_000, waitsMs: [0, 300, 1_000] },
    // A model may be silent for ever.
    ...{ skewMs: 200, silenceMs: 8_000, limits: { idleTimeoutMs: 5_000 } },
  };
}

function isDeferral(before: Job, after: Job): boolean {
  return before.leaseExpiresAt === null && isPutOff(after, before.nextAttemptAt ?? 0);
}

function isLeft({ upstream, leaseExpiresAt }: Job): boolean {
  return upstream !== undefined && leaseExpiresAt === null;
}

function isKeptOn(before: Job, after: Job): boolean {
  return after.upstream !== undefined && (after.losses ?? 0) > (before.losses ?? 0);
}

/** Runs one seed to its end. The same seed gives the same run. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const { seed, faultRate, jobs = 20, pace = virtualPace(), isShared = false, ...more } = options;
  const { clock, leaseMs, sweepMs, submitsWithinMs } = pace;
  hashWithinTurn();
  const luck = chance(seed);
  const world = simulatedWorld({
    running: limitsOf(seed),
    ...pace,
    ...more,
    isStaged: seed % 5 === 3,
    // Over HTTP a submit that cannot be paid is refused, and would be repeated for ever.
    tokens: options.doors ? undefined : tokensOf(seed),
    luck: luck.fork(),
    workers: 3,
    faultRate,
    trouble: 0.2,
  });
  const deeds = { kills: 0, pauses: 0, drains: 0 };
  const after = (ms: number, deed: () => unknown) => void clock.setTimer(() => void deed(), ms);
  const ids = Array.from({ length: jobs }, (_, n) => (isShared && n % 4 > 0 ? equalId(luck.uuid()) : luck.uuid()));
  const hurried = new Set<string>();
  let isCalm = false;
  let isOver = false;

  for (const id of ids) {
    const isHurried = luck.happens(0.2);
    const limits = { ...pace.limits, ...(isHurried ? shortLimits() : {}) };
    if (isHurried) hurried.add(id);
    after(luck.between(0, submitsWithinMs), () => world.submit(id, limits));
    // Impatient clients send the same again meanwhile.
    if (luck.happens(0.2)) after(luck.between(0, submitsWithinMs), () => world.submit(id, limits));
    if (luck.happens(0.2)) after(submitsWithinMs * luck.between(1, 2), () => world.cancel(id));
    if (luck.happens(0.2)) after(submitsWithinMs * luck.between(0.5, 2.5), () => world.remove(id));
    if (luck.happens(0.5)) after(submitsWithinMs * luck.between(0.5, 3), () => world.read(id));
    // Two at once, at times.
    const redriveMs = submitsWithinMs * luck.between(1.5, 3);
    if (luck.happens(0.5)) after(redriveMs, () => world.redrive(id));
    if (luck.happens(0.2)) after(redriveMs, () => world.redrive(id));
  }
  const sweepAgain = () => {
    if (isOver) return;
    void world.sweep();
    if (luck.happens(0.1)) void world.sweep();
    after(sweepMs, sweepAgain);
  };
  const harmAgain = () => {
    if (isCalm) return;
    harm();
    after(((luck.between(0.5, 1.5) * leaseMs) / 60_000) * (1_000 / (faultRate + 0.001)), harmAgain);
  };
  after(sweepMs, sweepAgain);
  if (faultRate > 0) after(submitsWithinMs / 10, harmAgain);

  await pace.pass(pace.troubledMs);
  isCalm = true;
  world.calm();
  const untilMs = clock.monotonicMs() + pace.patienceMs;
  while (clock.monotonicMs() < untilMs && !(world.areOver(ids) && world.areTold())) await pace.pass(sweepMs);
  isOver = true;
  // Zombies, late writes and the like have their say.
  await pace.pass(leaseMs);

  const { log } = world;
  const violations = [...world.settled(faultRate === 0)];
  const chunks = world.chunks();
  const before = log.violations.length;
  if (pace.quietMs !== undefined) {
    await pace.pass(pace.quietMs);
    void world.sweep();
    await pace.pass(sweepMs);
    violations.push(...log.violations.slice(before), ...world.left());
  }
  const ends: Record<string, number> = {};
  for (const { id, state, error } of log.jobs()) {
    if (error && STUCK.includes(error.code) && !hurried.has(log.rootOf(id)))
      violations.push(`I3 ${id}: it was stuck: ${error.code}`);
    const end = error ? `${state}: ${error.code}` : state;
    ends[end] = (ends[end] ?? 0) + 1;
  }
  world.close();
  return {
    ...{ seed, violations, ends, ...deeds, faults: [...world.faultCounts.values()].reduce((sum, n) => sum + n, 0) },
    deletes: log.jobs().filter(({ deletedAt }) => deletedAt !== undefined).length,
    redrives: log.jobs().filter(({ redriveOf }) => redriveOf !== undefined).length,
    ...{ chunks, removals: world.removals() },
    zombieWrites: log.zombieWrites(),
    settled: log.jobs().filter((job) => job.settled).length,
    denied: log.jobs().filter(({ error }) => error?.code === 'insufficient_credits').length,
    failovers: log.writes.filter(({ before, after }) => before && (after.route ?? 0) !== (before.route ?? 0)).length,
    deferrals: log.writes.filter(({ before, after }) => before && isDeferral(before, after)).length,
    answered: log.jobs().filter(({ answerOf }) => answerOf).length,
    detaches: log.writes.filter(({ before, after }) => before?.leaseExpiresAt && isLeft(after)).length,
    keptOn: log.writes.filter(({ before, after }) => before && isKeptOn(before, after)).length,
    parks: log.writes.filter(({ before, after }) => after.parkedFor && !before?.parkedFor).length,
    posts: world.posts(),
    calls: log.jobs().reduce((sum, { id }) => sum + log.calls(id), 0),
    recordedCalls: log.jobs().reduce((sum, { id }) => sum + log.recordedCalls(id), 0),
    writes: log.writes.length,
    slowestCancelMs: Math.max(
      0,
      ...log.jobs().map(({ completedAt = 0, cancelRequestedAt = completedAt }) => completedAt - cancelRequestedAt),
    ),
    virtualMs: clock.monotonicMs(),
    story: log.writes.flatMap(({ id, atMs, by, after: job }) =>
      violations.some((violation) => violation.includes(id))
        ? [`${new Date(atMs).toISOString().slice(11, 23)} ${by}: ${JSON.stringify(job)}`]
        : [],
    ),
  };

  function shortLimits() {
    return luck.pick([
      { startWithinMs: luck.between(1_000, leaseMs) },
      { timeoutMs: luck.between(1_000, 5 * leaseMs) },
      { attemptTimeoutMs: luck.between(1_000, leaseMs) },
      { idleTimeoutMs: luck.between(1_000, 1_000 + leaseMs / 2) },
    ]);
  }

  function harm(): void {
    const alive = world.workers().filter(({ process }) => process.isAlive());
    const victim = alive.length > 0 ? luck.pick(alive) : undefined;
    const deed = luck.pick(['kill', 'pause', 'drain', 'lose'] as const);
    if (deed === 'lose') world.loseMessages();
    if (!victim) return;
    if (deed === 'kill') {
      deeds.kills += 1;
      victim.process.kill();
    } else if (deed === 'pause' && !victim.process.isPaused()) {
      deeds.pauses += 1;
      victim.process.pause();
      after(luck.between(0.2, 3) * leaseMs, victim.process.resume);
    } else if (deed === 'drain' && !victim.isStopping) {
      deeds.drains += 1;
      world.drain(victim);
    }
  }
}

/** Hashing settles on a thread of its own, in real time, which no seed could repeat. */
function hashWithinTurn(): void {
  Object.defineProperty(crypto.subtle, 'digest', {
    configurable: true,
    value: async (_: string, data: Uint8Array) => new Uint8Array(createHash('sha256').update(data).digest()).buffer,
  });
}
