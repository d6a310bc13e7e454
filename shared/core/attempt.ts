/**
 * One attempt at a job: the call to the provider, read to its end under two clocks. Says how it ended; writes nothing and
 * decides nothing.
 */
import { orAborted, untilAborted } from './aborted.ts';
import { type CallRecord, collect } from './answers.ts';
import type { AttemptResult, MadeCall } from './attempt-result.ts';
import { likelyCost } from './attempts.ts';
import { affordable, costOfCall } from './call-cost.ts';
import { type CallSpan, spanOfCall } from './call-span.ts';
import { framesOf, isServiceError, ServiceError } from './errors.ts';
import type { Job, Json, Limits } from './job.ts';
import type { JobType } from './job-type.ts';
import { limitsOf } from './limits.ts';
import type { LlmRequest, ProviderFor, ProviderLimits } from './llm.ts';
import { type Clock, type Log, sleep } from './ports.ts';
import type { Pricing } from './pricing.ts';
import { isMendable, type Rejected, repairRequest } from './repair.ts';
import { routeOf } from './routes.ts';
import type { Traced } from './tracing.ts';

const LARGE_CHARACTERS = 256 * 1_024;

export type AttemptOptions = Traced & { providerFor: ProviderFor; pricing: Pricing; clock: Clock; log: Log };

export type AttemptHooks = {
  /** Hears the text as it comes. */
  onText?: (text: string) => void;
  /** Hears how far the call is: the provider took the request; the whole answer is here. */
  onStage?: (stage: 'accepted' | 'answered') => void;
  /** Hears what the provider says of its limits, with an answer or a refusal. */
  onLimits?: (limits: ProviderLimits) => void;
  /** The answer of the attempt before, which this one has to mend. */
  rejected?: Rejected | undefined;
  /** What came of a call that was made before, in place of another one. */
  made?: MadeCall | undefined;
};

/** Makes one call, unless one was made, and reads its answer, unless `stop` is aborted. Never throws. */
export function attempt(
  options: AttemptOptions,
  jobType: JobType,
  job: Job,
  input: Json,
  stop: AbortSignal,
  hooks: AttemptHooks = {},
): Promise<AttemptResult> {
  return spanOfCall(options, job, hooks.made, (call) => callAndRead(options, jobType, job, input, stop, hooks, call));
}

async function callAndRead(
  options: AttemptOptions,
  jobType: JobType,
  job: Job,
  input: Json,
  stop: AbortSignal,
  { onText = () => {}, onStage = () => {}, onLimits = () => {}, rejected: before, made }: AttemptHooks,
  call: CallSpan,
): Promise<AttemptResult> {
  const { providerFor, clock, log } = options;
  const { facts = { notMade: true }, isOver, isUnseen } = made ?? {};
  const record: CallRecord = { facts, text: '', isOver, accepted: isUnseen };
  const { model } = routeOf(job);
  const timers = attemptTimers(clock, limitsOf(job));
  const signal = AbortSignal.any([stop, timers.signal]);
  let request: LlmRequest | undefined;
  // An attempt that fails otherwise leaves the answer that is still to be mended.
  let rejected = before;
  let vainText = before?.text;
  const startedMs = made?.startedMs ?? clock.nowMs();

  async function answered(): Promise<Json> {
    const provider = await providerFor(model.provider);
    request = await requestOf(options, jobType, job, input, before);
    signal.throwIfAborted();
    if (!made) facts.notMade = undefined;
    call.asks(request);
    const { traceparent } = call;
    const parts = untilAborted(made?.parts ?? provider.generate(request, { signal, traceparent }), signal);
    const answer = await collect(parts, record, (part) => {
      timers.hears();
      call.hears(part);
      if (part.type === 'accepted') {
        onStage('accepted');
        if (part.limits) onLimits(part.limits);
      }
      if (part.type === 'text-delta') onText(part.text);
    });
    // The answer is here: how long its check takes is no silence of the model.
    timers.stopIdle();
    onStage('answered');
    // Whatever becomes of it: it is paid for, and its owner may read it.
    vainText = answer.text;
    rejected = undefined;
    // What was read of a large one, and what is made of it now, would hold the process in one piece.
    if (answer.text.length > LARGE_CHARACTERS) await sleep(clock, 0);
    const checked = await orAborted(Promise.resolve(jobType.toResult(answer, input)), signal);
    if ('result' in checked) return checked.result;
    if (isMendable(answer)) rejected = { request, text: answer.text, violation: checked.violation };
    throw new ServiceError('schema_violation', `The model's answer cannot be used: ${checked.violation}.`);
  }

  async function outcome(): Promise<AttemptResult> {
    try {
      return { ended: 'answered', result: await answered(), facts };
    } catch (error) {
      if (stop.aborted) return { ended: 'stopped', reason: known(stop.reason), facts };
      const cause = signal.aborted ? signal.reason : error;
      if (!isServiceError(cause))
        log('error', 'attempt-broke', { job_id: job.id, attempt: job.attempt, error: framesOf(cause) });
      else if (cause.provider?.limits) onLimits(cause.provider.limits);
      return { ended: 'failed', error: known(cause), facts, rejected, vainText };
    } finally {
      timers.stop();
    }
  }

  const result = await outcome();
  if (facts.notMade) return result;
  const error = result.ended === 'failed' ? result.error : result.ended === 'stopped' ? result.reason : undefined;
  const isCapped = job.nanoUsdMost !== undefined;
  facts.cost =
    !request || (isUnseen && !isCapped)
      ? likelyCost(job)
      : await costOfCall(options.pricing, model, request, record, error, startedMs, isCapped);
  return result;
}

/** What the provider is asked. Throws `cost_limit` when what is left of what the job may cost is not enough. */
export async function requestOf(
  { pricing }: Pick<AttemptOptions, 'pricing'>,
  jobType: JobType,
  job: Job,
  input: Json,
  rejected: Rejected | undefined,
): Promise<LlmRequest> {
  const { model } = routeOf(job);
  const asked = rejected ? repairRequest(rejected) : jobType.toRequest(input, model);
  const { nanoUsdMost, spent, createdAt } = job;
  const leftNanoUsd = nanoUsdMost === undefined ? undefined : nanoUsdMost - (spent?.nanoUsd ?? 0);
  return affordable(pricing, model, asked, leftNanoUsd, createdAt);
}

/** The two clocks of an attempt: its own deadline, and the longest silence within it. */
export function attemptTimers(clock: Clock, { attemptTimeoutMs, idleTimeoutMs }: Limits) {
  const expired = new AbortController();
  const expire = (code: 'attempt_timeout' | 'idle_timeout', sentence: string) =>
    expired.abort(new ServiceError(code, sentence));
  const stopDeadline = clock.setTimer(() => {
    expire('attempt_timeout', `The model did not finish its answer within ${attemptTimeoutMs / 1_000} s.`);
  }, attemptTimeoutMs);
  // Each part of an answer notes the instant; a timer of its own for each was a third of all that a job set.
  let heardMs = clock.monotonicMs();
  let stopIdle = () => {};
  const listen = (ms: number) => {
    stopIdle = clock.setTimer(() => {
      const leftMs = heardMs + idleTimeoutMs - clock.monotonicMs();
      if (leftMs > 0) listen(leftMs);
      else expire('idle_timeout', `Nothing came from the model for ${idleTimeoutMs / 1_000} s.`);
    }, ms);
  };
  listen(idleTimeoutMs);
  return {
    signal: expired.signal,
    hears() {
      heardMs = clock.monotonicMs();
    },
    stopIdle: () => stopIdle(),
    stop() {
      stopDeadline();
      stopIdle();
    },
  };
}

function known(error: unknown): ServiceError {
  return isServiceError(error) ? error : new ServiceError('internal_error', 'The attempt broke on our side.');
}
