/** What is written for a worker that wants a job: a claim, or what happens in its place. Writes nothing. */
import { isServiceError } from './errors.ts';
import type { EventOf, Refusal } from './events.ts';
import type { Gate, Gated, Instead } from './gate.ts';
import type { Job, JobChanges, JobError, Json } from './job.ts';
import type { JobType } from './job-type.ts';
import { transition } from './lifecycle.ts';
import type { PartStore } from './part-store.ts';
import { wholeInput } from './parts.ts';
import type { StoredJob } from './ports.ts';
import type { Pass } from './routing.ts';
import { SLOT_MS } from './slots.ts';
import { stagesOf } from './stages.ts';

export type DecisionOptions = {
  parts: PartStore;
  jobTypes: ReadonlyMap<string, JobType>;
  /** Between 0 and 1. */
  random: () => number;
  leaseMs: number;
  /** This worker, among all. */
  instance: string;
  /** Asked before each claim. */
  gate?: Gate | undefined;
  /** Aborted when this process takes no more jobs. */
  stop?: AbortSignal | undefined;
};

/** A job that was read to be claimed, and the store's time as it is by now. */
export type Look = { stored: StoredJob; input: Json; nowMs: () => number };

/** The input that a job runs on, or why it has to end without. */
type InputRead = { input: Json } | { denied: JobError };
/** The right to a call, and the key under which equal jobs are answered, or what is written in place of the claim. */
type Word = Exclude<Gated, { refused: unknown } | { again: unknown }>;

/** What was learned for a claim; it holds for whichever of its tries is written. */
export type Learned = {
  input?: InputRead | undefined;
  /** The gate's word, and the attempt after which it was given. */
  said?: { word: Word; attempt: number } | undefined;
};

/** Written in place of a claim, and what the worker is told of it. */
export type DecidedInstead = { instead: JobChanges; told: 'overdue' | (typeof TOLD)[keyof typeof TOLD] };

/** What a claim takes with it. */
type Taken = Pick<EventOf<'claim'>, 'token' | 'hold' | 'route' | 'leads'> & { isLimited: boolean };

const TOLD = { deny: 'denied', park: 'parked', defer: 'deferred', reuse: 'answered' } as const;

/** A claim at this instant, or, where no attempt may start, what time does to the job in its place. */
export function decideClaim(
  { leaseMs, instance, random, jobTypes }: DecisionOptions,
  { job, storedAtMs }: StoredJob,
  nowMs: number,
  { isLimited, ...taken }: Taken,
): { claim: JobChanges } | DecidedInstead | { refused: Refusal } {
  const now = { nowMs, storedAtMs };
  const lease = { leaseMs, holder: instance, slotUntil: isLimited ? nowMs + SLOT_MS : undefined, ...taken };
  const stage = stagesOf(jobTypes.get(job.jobType), job.attempt + 1)[0];
  const claim = transition(job, { type: 'claim', ...now, ...lease, stage });
  if (claim.changes) return { claim: claim.changes };
  if (claim.refused !== 'overdue') return claim;
  const wake = transition(job, { type: 'wake', ...now, random: random() });
  return wake.changes ? { instead: wake.changes, told: 'overdue' } : wake;
}

/** What happens in place of a claim that could be made. `changed`: it could not any more, so look at the job again. */
export function decideInstead(
  { stored: { job, storedAtMs }, nowMs }: Look,
  event: Instead<'deny'> | Instead<'park'> | Instead<'defer'> | Instead<'reuse'>,
): DecidedInstead | 'changed' {
  const { changes } = transition(job, { ...event, nowMs: nowMs(), storedAtMs });
  return changes ? { instead: changes, told: TOLD[event.type] } : 'changed';
}

/**
 * What is done with a job that could be claimed: it is, on this input, if that is whole and the gate lets it through.
 * `again`: time went by at the gate, so look at the job again. `changed`: as with `decideInstead`.
 */
export async function decideClaimable(
  options: DecisionOptions,
  look: Look,
  learned: Learned,
): Promise<{ input: Json } | DecidedInstead | Extract<Gated, { refused: unknown }> | 'again' | 'changed'> {
  const { stored } = look;
  learned.input ??= await readInput(options, look);
  if ('denied' in learned.input) return decideInstead(look, { type: 'deny', error: learned.input.denied });
  const { input } = learned.input;
  // What its provider works on needs no other call.
  if (!stored.job.upstream && !learned.said) {
    const gated = (await options.gate?.(stored, input, options.stop)) ?? {};
    if ('again' in gated) return 'again';
    if ('refused' in gated) return gated;
    learned.said = { word: gated, attempt: stored.job.attempt };
  }
  const word = learned.said?.word;
  return word && 'instead' in word ? decideInstead(look, word.instead) : { input };
}

/** Somebody else was faster: what the gate said was of an attempt that has been made, or that its provider works on now. */
export function forgetOutrun(learned: Learned, job: Job): void {
  if (learned.said?.attempt === job.attempt && !job.upstream) return;
  passOf(learned).pass?.end('unused');
  learned.said = undefined;
}

/** What the gate gave for the claim. */
export function passOf({ said }: Learned): { pass?: Pass | undefined; leads?: string | undefined } {
  return said && !('instead' in said.word) ? said.word : {};
}

/** What the gate wants to be called with the job as it is at last. */
export function afterOf({ said }: Learned): ((job: Job) => Promise<void>) | undefined {
  return said && 'instead' in said.word ? said.word.after : undefined;
}

/** The job's input; it never changes. One that is damaged is so for every worker: its job has to end. */
async function readInput({ parts }: DecisionOptions, { stored: { job }, input }: Look): Promise<InputRead> {
  try {
    return { input: await wholeInput(parts, { job, input }) };
  } catch (error) {
    if (!isServiceError(error, 'internal_error')) throw error;
    return { denied: { code: error.code, message: `The input cannot be read back. ${error.message}` } };
  }
}
