/**
 * A job that something is done to: what is known of it, and what follows from what happens. Pure. The deeds are done when
 * the answer has begun to come; a provider that misbehaves is told so in the prompt, before.
 */
import type { JobView, Submission } from '../../../shared/client/client.ts';

export const DEEDS = ['kill_worker', 'deliver', 'rate_limit', 'cut', 'freeze_store'] as const;
export type Deed = (typeof DEEDS)[number];

/** A job's view without what may be large. */
type Seen = Omit<JobView, 'result_data' | 'rejected_text'>;

export type Victim = {
  jobId: string;
  deed: Deed;
  startedMs: number;
  /**
   * `sent`: nobody knows whether it has arrived. `taken`: the service has answered for it, from then on it must not be
   * lost. `refused`: it was not taken. `missing` and `overdue`: it was taken, and is lost.
   */
  phase: 'sent' | 'taken' | 'refused' | 'missing' | 'overdue';
  hasText: boolean;
  /** How often the deed was done, and in which attempt. */
  times: number;
  during?: number;
  /** The store has been seen frozen. */
  wasFrozen?: boolean;
  /** Why the job was not taken, or the deed could not be done. */
  problem?: string;
  /** The provider counted more calls than the job had recorded by then. */
  isUnrecorded?: boolean;
  job?: Seen;
};

export type VictimEvent =
  | { type: 'taken' | 'text' | 'missing' | 'overdue' | 'doing' | 'frozen' | 'unrecorded' }
  | { type: 'refused' | 'undone'; why: string }
  | { type: 'seen'; job: JobView };

/** How many messages *deliver* brings each time. */
export const MESSAGES = 10;
export const FROZEN_SECONDS = 3;
/** The job's own clock; after a while longer it must be over, whoever died. */
const TIMEOUT_SECONDS = 180;
const OVERDUE_MS = 1_000 * (TIMEOUT_SECONDS + 60);

const DIRECTIONS: Readonly<Record<Deed, string>> = {
  kill_worker: 'seconds=3',
  deliver: 'seconds=3',
  rate_limit: 'seconds=2 rate_limit=1',
  cut: 'seconds=2 cut=1',
  freeze_store: 'seconds=5',
};

export function newVictim(deed: Deed, jobId: string, startedMs: number): Victim {
  return { jobId, deed, startedMs, phase: 'sent', hasText: false, times: 0 };
}

/** The same for the same victim: sent again, it is one job. */
export function submissionOf({ jobId, deed }: Victim, model: string): Submission {
  const prompt = `[break-it ${jobId} ${DIRECTIONS[deed]}] Tell a story of a job that does not get lost.`;
  return {
    ...{ job_type: 'general_llm_request', model_id: model, input_data: { prompt } },
    ...{ stream: true, tags: ['break-it'], timeout: TIMEOUT_SECONDS },
  };
}

/** The victim after an event; the same object where it changes nothing. */
export function changed(victim: Victim, event: VictimEvent): Victim {
  switch (event.type) {
    case 'seen':
      return event.job.version < (victim.job?.version ?? 0) ? victim : { ...victim, job: seenIn(event.job) };
    case 'text':
      return victim.hasText ? victim : { ...victim, hasText: true };
    case 'doing': {
      const during = victim.job?.attempts.at(-1)?.n;
      return { ...victim, times: victim.times + 1, ...(during !== undefined && { during }) };
    }
    case 'undone':
      return { ...victim, times: victim.times - 1, problem: event.why };
    case 'refused':
      return { ...victim, phase: 'refused', problem: event.why };
    case 'frozen':
      return victim.wasFrozen ? victim : { ...victim, wasFrozen: true };
    case 'unrecorded':
      return { ...victim, isUnrecorded: true };
    default:
      return { ...victim, phase: event.type };
  }
}

function seenIn({ result_data: _result, rejected_text: _rejected, ...seen }: JobView): Seen {
  return seen;
}

export function isLost({ phase }: Victim): boolean {
  return phase === 'missing' || phase === 'overdue';
}

/** Is there nothing more to be seen of it? */
export function isOver({ phase, job }: Victim): boolean {
  return (phase !== 'sent' && phase !== 'taken') || job?.is_complete === true;
}

/** Is it time for the deed? A message is delivered again at once, and again in the middle. */
export function isDue(victim: Victim): boolean {
  const { deed, phase, problem, hasText, times } = victim;
  if (phase !== 'taken' || problem !== undefined || isOver(victim)) return false;
  if (deed === 'deliver') return times < (hasText ? 2 : 1);
  return (deed === 'kill_worker' || deed === 'freeze_store') && hasText && times === 0;
}

/** How long it may still take until it must be over, whatever was done to it. */
export function leftMs({ startedMs }: Victim, nowMs: number): number {
  return Math.max(1, startedMs + OVERDUE_MS - nowMs);
}

export function recordedCalls({ job }: Victim): number {
  return (job?.attempts ?? []).reduce((sum, { calls }) => sum + calls, 0);
}
