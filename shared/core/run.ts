/**
 * What a worker does with a doorbell: claim the job, make the call, finish it. Every outcome that the store answered is
 * a value; only a store that gave no answer throws (`store_unavailable`), so that the queue delivers again.
 */
import { isServiceError, ServiceError } from './errors.ts';
import { type Held, holder } from './holder.ts';
import type { JobKey, Json, Usage } from './job.ts';
import { applyChanges, type CallFacts, type FinishOutcome, type Refusal, transition } from './lifecycle.ts';
import type { Clock, FinishReason, JobStore, JobType, LlmPart, Log, ProviderFor } from './ports.ts';

export type RunOptions = {
  store: JobStore;
  providerFor: ProviderFor;
  jobTypes: ReadonlyMap<string, JobType>;
  clock: Clock;
  newId: () => string;
  log: Log;
  leaseMs: number;
};

/** `finished`: this worker ended the job. `refused`: there was nothing to do. `lost`: another holder took over. */
export type RunOutcome =
  | { finished: FinishOutcome['state'] }
  | { refused: Refusal | 'unknown-job' | 'contended' }
  | { lost: true };

/** The largest result, as UTF-8 bytes of its JSON, that is stored. */
export const RESULT_BYTES_MOST = 256 * 1024;
/** A claim that loses a race looks again this often. Each look either finds a live lease or a job still free. */
const CLAIM_TRIES = 5;

/** Runs one job, if it can be claimed. */
export async function runJob(options: RunOptions, key: JobKey): Promise<RunOutcome> {
  const { log, clock } = options;
  const claim = await claimJob(options, key);
  if ('refused' in claim) {
    log('debug', 'claim-refused', { job_id: key.id, why: claim.refused });
    return claim;
  }
  const { held, input } = claim;
  const { job } = held;
  log('info', 'attempt-started', { job_id: job.id, attempt: job.attempt, model: job.model.model });
  const lease = holder(options, held);
  const startedMs = clock.monotonicMs();
  try {
    const outcome = await attempt(options, held, input, lease.lost);
    // An answer that came in spite of a lost lease is offered all the same: it is paid for, and the write is fenced.
    if (outcome === undefined || (await lease.finish(outcome)) === 'lost') return { lost: true };
    log('info', 'job-finished', {
      job_id: job.id,
      attempt: job.attempt,
      state: outcome.state,
      code: outcome.state === 'failed' ? outcome.error.code : undefined,
      ms: Math.round(clock.monotonicMs() - startedMs),
    });
    return { finished: outcome.state };
  } catch (error) {
    if (!isServiceError(error, 'result_unstorable')) throw error;
    // A finish that can never be stored must not become a loop that pays again.
    const ended = await lease.finish({ state: 'failed', error: { code: error.code, message: error.message } });
    return ended === 'written' ? { finished: 'failed' } : { lost: true };
  } finally {
    lease.release();
  }
}

/** Reads the job and writes the claim under the revision that was read; the write records the first call. */
async function claimJob(
  { store, clock, newId, leaseMs }: RunOptions,
  key: JobKey,
): Promise<{ held: Held; input: Json } | { refused: Refusal | 'unknown-job' | 'contended' }> {
  const token = newId();
  let silence: unknown;
  for (let tries = 0; ; tries++) {
    let askedMs = clock.monotonicMs();
    const found = await store.getWithInput(key);
    if (!found) return { refused: 'unknown-job' };
    const { input } = found;
    // Our claim of a moment ago, whose answer we did not get.
    if (found.job.token === token) {
      const { job, revision, readAtMs: atMs } = found;
      return { held: { job, revision, atMs, askedMs, answeredMs: clock.monotonicMs() }, input };
    }
    const claim = { type: 'claim', nowMs: found.readAtMs, leaseMs, token, stage: 'calling_llm' } as const;
    const decision = transition(found.job, claim);
    if (decision.refused) return { refused: decision.refused };
    if (tries === CLAIM_TRIES) break;
    askedMs = clock.monotonicMs();
    // A claim of unknown fate is not an error yet: the next look tells whether it landed.
    const answer = await store.update(key, found.revision, decision.changes).catch((error: unknown) => {
      if (!isServiceError(error, 'store_unavailable')) throw error;
      silence = error;
      return undefined;
    });
    if (answer && 'written' in answer) {
      const { revision, atMs } = answer.written;
      const job = applyChanges(found.job, decision.changes);
      return { held: { job, revision, atMs, askedMs, answeredMs: clock.monotonicMs() }, input };
    }
  }
  // Not acknowledged while a claim of ours may still land.
  if (silence) throw silence;
  return { refused: 'contended' };
}

/** Makes the call of one attempt and says how the job ends by it; `undefined` when the lease was lost. Never throws. */
async function attempt(
  { providerFor, jobTypes, clock, log }: RunOptions,
  { job }: Held,
  input: Json,
  lost: AbortSignal,
): Promise<FinishOutcome | undefined> {
  const facts: CallFacts = {};
  const jobType = jobTypes.get(job.jobType);
  if (!jobType) return failed(new ServiceError('internal_error', `No job type "${job.jobType}" is installed.`), facts);

  const timers = attemptTimers(clock, jobType);
  const signal = AbortSignal.any([timers.signal, lost]);
  try {
    const provider = await providerFor(job.model.provider);
    const request = jobType.toRequest(input, job.model);
    const parts = untilAborted(provider.generate(request, { signal }), signal);
    const text = await collect(parts, facts, timers.restartIdle);
    return { state: 'completed', result: jobType.toResult(text, input), ...facts };
  } catch (error) {
    if (lost.aborted) return undefined;
    const cause = signal.aborted ? signal.reason : error;
    if (!isServiceError(cause))
      log('error', 'attempt-broke', { job_id: job.id, attempt: job.attempt, error: nameOf(cause) });
    return failed(cause, facts);
  } finally {
    timers.stop();
  }
}

/** The two clocks of an attempt: its own deadline, and the longest silence within it. */
function attemptTimers(clock: Clock, { attemptTimeoutMs, idleTimeoutMs }: JobType) {
  const expired = new AbortController();
  const expire = (code: 'attempt_timeout' | 'idle_timeout', sentence: string) =>
    expired.abort(new ServiceError(code, sentence));
  const stopDeadline = clock.setTimer(() => {
    expire('attempt_timeout', `The model did not finish its answer within ${attemptTimeoutMs / 1_000} s.`);
  }, attemptTimeoutMs);
  let stopIdle = () => {};
  const restartIdle = () => {
    stopIdle();
    stopIdle = clock.setTimer(() => {
      expire('idle_timeout', `Nothing came from the model for ${idleTimeoutMs / 1_000} s.`);
    }, idleTimeoutMs);
  };
  restartIdle();
  return {
    signal: expired.signal,
    restartIdle,
    stop() {
      stopDeadline();
      stopIdle();
    },
  };
}

/**
 * Reads the answer up to its `finish` part, noting what is known of the call as it comes, so that a failed one keeps its
 * usage. What comes after the end is not waited for: servers exist that leave the connection open.
 */
async function collect(parts: AsyncIterable<LlmPart>, facts: CallFacts, onPart: () => void): Promise<string> {
  const texts: string[] = [];
  let bytes = 0;
  for await (const part of parts) {
    onPart();
    switch (part.type) {
      case 'accepted':
        if (part.providerRequestId !== undefined) facts.providerRequestId = part.providerRequestId;
        break;
      case 'activity':
        break;
      case 'text-delta':
        bytes += jsonBytes(part.text) - QUOTES;
        if (bytes > RESULT_BYTES_MOST) throw tooLarge();
        texts.push(part.text);
        break;
      case 'usage':
        if (isCount(part.usage)) facts.usage = part.usage;
        break;
      case 'finish':
        facts.finishReason = part.reason;
        return finished(texts.join('').toWellFormed(), part.reason);
    }
  }
  throw new ServiceError('network', 'The answer was cut before its end.');
}

/** An answer that is one: neither withheld nor empty. One that ended at the output limit is, and says so. */
function finished(text: string, reason: FinishReason): string {
  if (reason === 'content_filter') {
    throw new ServiceError('content_policy', "The answer was withheld by the provider's content policy.");
  }
  if (text === '') throw new ServiceError('provider_error', 'The model answered with nothing.');
  return text;
}

const QUOTES = 2;

function jsonBytes(value: Json): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

function tooLarge(): ServiceError {
  return new ServiceError('response_too_large', `The answer is larger than ${RESULT_BYTES_MOST} bytes.`);
}

/** Servers exist that report text, fractions or nothing as usage; a wrong figure is worse than none. */
function isCount({ inputTokens, outputTokens, totalTokens }: Usage): boolean {
  return [inputTokens, outputTokens, totalTokens].every((tokens) => Number.isInteger(tokens) && tokens >= 0);
}

/** Ends with the signal's reason even when the source does not listen to the signal. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  signal.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  aborted.catch(() => {});
  try {
    for (;;) {
      const step = await Promise.race([iterator.next(), aborted]);
      if (step.done) return;
      yield step.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    // Not awaited: a source that hangs in `next` never returns.
    void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

function failed(error: unknown, facts: CallFacts): FinishOutcome {
  const known = isServiceError(error) ? error : new ServiceError('internal_error', 'The attempt broke on our side.');
  return { state: 'failed', error: { code: known.code, message: known.message }, ...facts };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.stack?.split('\n')[1]?.trim() ?? ''}` : typeof error;
}
