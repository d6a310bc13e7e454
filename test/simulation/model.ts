/**
 * The simulation's model at the other end of the line: answers after a while, refuses, breaks, or says nothing for ever,
 * and knows which job each call was for.
 */

import { type FailureCode, ServiceError } from '../../shared/core/errors.ts';
import type { Background, LlmPart, LlmProvider, LlmRequest } from '../../shared/core/llm.ts';
import { textOf } from '../../shared/core/llm.ts';
import { type Clock, sleep } from '../../shared/core/ports.ts';
import { equalOf } from './equal-jobs.ts';
import type { WriteLog } from './invariants.ts';
import type { Chance } from './random.ts';

/** Is this one of the jobs that the model answers in the background? */
export function isInBackground(id: string): boolean {
  return equalOf(id) === undefined && Number.parseInt(id.slice(-4, -3), 16) % 4 === 0;
}

/** Is this one of the jobs whose answer is kept in chunks as it comes? */
export function isStreamed(id: string): boolean {
  return !isInBackground(id) && Number.parseInt(id.slice(-1), 16) % 2 === 0;
}

/** Is this one of the jobs that keep nothing (`store: false`)? */
export function isFleeting(id: string): boolean {
  return equalOf(id) === undefined && !isInBackground(id) && Number.parseInt(id.slice(-2, -1), 16) % 3 === 0;
}

/** Is this one of the jobs that another model may answer, too? */
export function hasFallback(id: string): boolean {
  return equalOf(id) === undefined && Number.parseInt(id.slice(-3, -2), 16) % 2 === 0;
}

/** The answer to a job; to one that was made of another it is that one's. */
export function answerOf(id: string): string {
  return `${equalOf(id) ?? id} `.repeat(PARTS);
}

export type ModelOptions = {
  clock: Clock;
  luck: Chance;
  log: WriteLog;
  /** How often a call fails by itself, 0 to 1. */
  trouble: () => number;
  slowestMs: number;
  /** For how long it asks to be left alone, when it does. */
  waitsMs: readonly number[];
  /** What it works on in the background, whoever asked for that. */
  upstreams: Upstreams;
};

export type Upstreams = Map<string, { endsAtMs: number; parts: () => AsyncIterable<LlmPart>; isCancelled?: true }>;

const TROUBLES: readonly FailureCode[] = [
  ...(['rate_limited', 'rate_limited', 'overloaded', 'overloaded', 'network', 'timeout', 'provider_error'] as const),
  ...(['content_policy', 'auth'] as const),
];
const LOOK_TROUBLES: readonly FailureCode[] = ['rate_limited', 'overloaded', 'network', 'timeout', 'auth'];
const PARTS = 4;
const USAGE = { inputTokens: 1, outputTokens: PARTS, totalTokens: PARTS + 1 };
/** An answer in the background takes so many times longer. */
const BACKGROUND_TIMES = 5;

/** The text that tells the model which job a call is for. */
export function promptOf(id: string): string {
  return `job ${equalOf(id) ?? id}`;
}

/** The model as one process calls it. */
export function simulatedModel(
  { clock, luck, log, trouble, slowestMs, waitsMs, upstreams }: ModelOptions,
  by: string,
): LlmProvider & { background: Background } {
  return {
    background: {
      async start(request, { signal }) {
        signal.throwIfAborted();
        const prompted = promptedOf(request);
        const id = log.called(prompted, by, request.model);
        const failure = luck.happens(trouble()) ? luck.pick(TROUBLES) : undefined;
        if (failure && luck.happens(0.3)) throw broken(id, request.model, failure);
        const tookMs = (luck.happens(0.5) ? luck.next() : 0.01) * slowestMs * BACKGROUND_TIMES;
        async function* parts(): AsyncIterable<LlmPart> {
          if (failure) throw broken(id, request.model, failure);
          yield { type: 'text-delta', text: answerOf(prompted) };
          yield* endOfAnswer();
        }
        const upstreamId = `upstream-${upstreams.size + 1}`;
        upstreams.set(upstreamId, { endsAtMs: clock.monotonicMs() + tookMs, parts });
        return { id: upstreamId };
      },
      async look(id) {
        const upstream = upstreams.get(id);
        if (luck.happens(trouble() / 2)) throw new ServiceError(luck.pick(LOOK_TROUBLES), 'The look failed.');
        if (!upstream || luck.happens(trouble() / 20)) return { gone: true };
        if (upstream.isCancelled) return { parts: cancelled() };
        if (clock.monotonicMs() < upstream.endsAtMs) return { pending: true };
        return { parts: upstream.parts() };
      },
      async cancel(id) {
        const upstream = upstreams.get(id);
        if (upstream) upstream.isCancelled = true;
        return luck.happens(0.5) ? { usage: USAGE } : {};
      },
    },

    async *generate(request: LlmRequest, { signal }) {
      const prompted = promptedOf(request);
      // Real providers send nothing either, when it is too late before they begin.
      signal.throwIfAborted();
      const id = log.called(prompted, by, request.model);
      const isTroubled = luck.happens(trouble());
      const breaksAt = isTroubled ? Math.floor(luck.between(0, PARTS)) : PARTS;
      const failure = luck.pick(TROUBLES);
      const isSilent = isTroubled && luck.happens(0.1);
      const pauseMs = ((luck.happens(0.5) ? luck.next() : 0.01) * slowestMs) / PARTS;
      for (let part = 0; part <= PARTS; part++) {
        await sleep(clock, pauseMs, signal);
        signal.throwIfAborted();
        if (part === breaksAt && isSilent) await new Promise(() => {});
        if (part === breaksAt && isTroubled) throw broken(id, request.model, failure);
        if (part === 0) yield { type: 'accepted' };
        else yield { type: 'text-delta', text: `${prompted} ` };
      }
      yield* endOfAnswer();
    },
  };

  function broken(id: string, model: string, failure: FailureCode): ServiceError {
    const retryAfterMs = ['rate_limited', 'overloaded'].includes(failure)
      ? luck.pick([undefined, ...waitsMs])
      : undefined;
    if (retryAfterMs === undefined) return new ServiceError(failure, 'The model failed.');
    log.asked(id, model, retryAfterMs);
    return new ServiceError(failure, 'The model asked for patience.', { retryAfterMs });
  }
}

function promptedOf({ messages }: LlmRequest): string {
  const last = messages.at(-1);
  return last ? textOf(last).replace('job ', '') : '';
}

function* endOfAnswer(): Iterable<LlmPart> {
  yield { type: 'usage', usage: USAGE };
  yield { type: 'finish', reason: 'stop' };
}

async function* cancelled(): AsyncIterable<LlmPart> {
  yield await Promise.reject(new ServiceError('provider_error', 'The answer was cancelled.'));
}
