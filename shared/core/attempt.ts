/**
 * One attempt at a job: the call to the provider, read to its end under two clocks. Says how it ended; writes nothing and
 * decides nothing.
 */
import { framesOf, isServiceError, ServiceError } from './errors.ts';
import type { CallFacts } from './events.ts';
import type { Job, Json, Limits, Usage } from './job.ts';
import { limitsOf } from './limits.ts';
import type { Clock, FinishReason, JobType, LlmPart, Log, ProviderFor } from './ports.ts';

export type AttemptOptions = { providerFor: ProviderFor; clock: Clock; log: Log };

/** `stopped`: the signal was aborted, with `reason`; what the call would have brought is not known. */
export type AttemptResult =
  | { ended: 'answered'; result: Json; facts: CallFacts }
  | { ended: 'failed'; error: ServiceError; facts: CallFacts }
  | { ended: 'stopped'; reason: ServiceError; facts: CallFacts };

/** The largest result, as UTF-8 bytes of its JSON, that is stored. */
export const RESULT_BYTES_MOST = 256 * 1024;

/** Makes one call and reads its answer, unless `stop` is aborted; `onText` hears it as it comes. Never throws. */
export async function attempt(
  { providerFor, clock, log }: AttemptOptions,
  jobType: JobType,
  job: Job,
  input: Json,
  stop: AbortSignal,
  onText?: (text: string) => void,
): Promise<AttemptResult> {
  const facts: CallFacts = { notMade: true };
  const timers = attemptTimers(clock, limitsOf(job));
  const signal = AbortSignal.any([stop, timers.signal]);
  try {
    const provider = await providerFor(job.model.provider);
    const request = jobType.toRequest(input, job.model);
    signal.throwIfAborted();
    facts.notMade = undefined;
    const parts = untilAborted(provider.generate(request, { signal }), signal);
    const text = await collect(parts, facts, timers.restartIdle, onText);
    return { ended: 'answered', result: jobType.toResult(text, input), facts };
  } catch (error) {
    if (stop.aborted) return { ended: 'stopped', reason: known(stop.reason), facts };
    const cause = signal.aborted ? signal.reason : error;
    if (!isServiceError(cause))
      log('error', 'attempt-broke', { job_id: job.id, attempt: job.attempt, error: framesOf(cause) });
    return { ended: 'failed', error: known(cause), facts };
  } finally {
    timers.stop();
  }
}

/** The two clocks of an attempt: its own deadline, and the longest silence within it. */
function attemptTimers(clock: Clock, { attemptTimeoutMs, idleTimeoutMs }: Limits) {
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
async function collect(
  parts: AsyncIterable<LlmPart>,
  facts: CallFacts,
  onPart: () => void,
  onText: (text: string) => void = () => {},
): Promise<string> {
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
        onText(part.text);
        break;
      case 'usage':
        facts.usage = countable(part.usage) ?? facts.usage;
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
function countable(usage: Usage): Usage | undefined {
  const { inputTokens, outputTokens, totalTokens, cachedInputTokens, reasoningTokens } = usage;
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined;
  return {
    inputTokens,
    outputTokens,
    totalTokens: isCount(totalTokens) ? totalTokens : inputTokens + outputTokens,
    cachedInputTokens: isCount(cachedInputTokens) ? cachedInputTokens : undefined,
    reasoningTokens: isCount(reasoningTokens) ? reasoningTokens : undefined,
  };
}

function isCount(tokens: number | undefined): boolean {
  return Number.isSafeInteger(tokens) && (tokens ?? -1) >= 0;
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

function known(error: unknown): ServiceError {
  return isServiceError(error) ? error : new ServiceError('internal_error', 'The attempt broke on our side.');
}
