/** What is happening to a victim now, and what it proves, in a sentence or two. */
import type { BreakItState } from './break-it-state.ts';
import { type Deed, FROZEN_SECONDS, MESSAGES, type Victim } from './victim.ts';

export const DEED_WORDS: Readonly<Record<Deed, string>> = {
  kill_worker: 'Kill the worker mid-call',
  deliver: 'Deliver a message ten times',
  rate_limit: 'Provider answers 429',
  cut: 'Provider cuts the stream',
  freeze_store: 'Freeze the store',
};

/** While the deed is still to be done. */
const BEFORE: Readonly<Record<Deed, string>> = {
  kill_worker: 'The worker is killed when the first words are here.',
  deliver: `Its message is delivered ${MESSAGES} times more.`,
  rate_limit: 'The provider answers the first call with 429: come back in 1 s.',
  cut: 'The provider cuts the first answer off in its middle.',
  freeze_store: 'The store is frozen when the first words are here.',
};

/** A job that completed, though that was done. */
const PROVEN: Readonly<Record<Deed, (calls: string) => string>> = {
  kill_worker: () => 'The attempt was lost with its worker; the job was not.',
  deliver: (calls) => `However often its message came, it made ${calls}: who finds a job held or over leaves it alone.`,
  rate_limit: () => 'The second call waited as long as the provider had asked.',
  cut: () => 'Half an answer counts for nothing: it was asked for anew.',
  freeze_store: (calls) => `What could not be written waited, and nothing is missing: ${calls}, each recorded.`,
};

export function told(victim: Victim, { frozen, calls }: Pick<BreakItState, 'frozen' | 'calls'>): string {
  const { deed, phase, problem, job, times, during } = victim;
  if (phase === 'missing')
    return 'The job was accepted and is not found any more: it is lost, unless somebody deleted it.';
  if (phase === 'overdue') return 'The job is lost: it was accepted, and is not over though its time is.';
  if (phase === 'refused') return `The job was not accepted. ${problem}`;
  if (problem !== undefined) return `That could not be done. ${problem}`;
  const attempts = job?.attempts ?? [];
  const { n = 1, outcome } = attempts.at(-1) ?? {};
  if (job?.is_complete) {
    if (job.status !== 'completed')
      return `The job ${job.status === 'failed' ? 'failed' : 'was cancelled'}. ${job.error_message ?? ''}`;
    const wasHit = isHit(victim);
    const counted = calls[victim.jobId] ?? 0;
    const proof = wasHit
      ? PROVEN[deed](counted === 1 ? 'one call' : `${counted} calls`)
      : 'It was over too soon to be hit: try again.';
    return `The job completed in attempt ${n}. ${proof}`;
  }
  if (phase === 'sent') return 'Submitting a job…';
  const isFirst = outcome === undefined && (n === 1 || n === during);
  if (!isFirst) return again(victim);
  if (times > 0) return done(victim, n, frozen);
  if (attempts.length === 0) return `The job is stored and waits for a worker. ${BEFORE[deed]}`;
  return `Attempt ${n} is under way. ${BEFORE[deed]}`;
}

/** The deed is done, and the attempt goes on, or nobody knows better yet. */
function done({ deed, times, wasFrozen }: Victim, n: number, frozen: boolean): string {
  if (deed === 'kill_worker')
    return `Killed the worker in the middle of attempt ${n}. Attempt ${n + 1} begins when it is certain that nobody holds the job.`;
  if (deed === 'deliver') {
    const ever = times === 1 ? `${MESSAGES} times` : `${MESSAGES} times, and in the middle ${MESSAGES} times more`;
    return `Delivered its message ${ever}. Only one of them may make a call.`;
  }
  return frozen || !wasFrozen
    ? `Froze the store for ${FROZEN_SECONDS} s in the middle of attempt ${n}. The model goes on; nothing can be written or read.`
    : `The store is back, and attempt ${n} goes on.`;
}

/** An attempt came to nothing; the next one has begun, or will. */
function again({ deed, job }: Victim): string {
  const attempts = job?.attempts ?? [];
  const next = attempts.at(-1)?.outcome === undefined ? attempts.at(-1) : undefined;
  const last = attempts.findLast(({ outcome }) => outcome !== undefined);
  const ends: Readonly<Record<string, string>> = {
    lease_lost: deed === 'kill_worker' ? 'was lost with its worker' : 'lost its lease',
    rate_limited: 'was answered with 429',
    network: 'was cut off',
  };
  const what = `Attempt ${last?.n} ${ends[last?.error_code ?? ''] ?? 'came to nothing'}.`;
  if (!next) return `${what} The job waits for a worker.`;
  return job?.next_attempt_at === undefined
    ? `${what} Attempt ${next.n} asks the provider anew.`
    : `${what} Attempt ${next.n} is recorded already, and waits for its time.`;
}

/** Was that done to it which the button says? */
export function isHit({ deed, times, job }: Victim): boolean {
  const before = (job?.attempts ?? []).slice(0, -1);
  if (deed === 'kill_worker') return times > 0 && before.some(({ outcome }) => outcome === 'lost');
  if (deed === 'rate_limit') return before.some(({ error_code }) => error_code === 'rate_limited');
  if (deed === 'cut') return before.length > 0;
  return times > 0;
}
