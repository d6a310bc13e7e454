/**
 * The simulation's model at the other end of the line: answers after a while, refuses, breaks, or says nothing for ever,
 * and knows which job each call was for.
 */

import { type FailureCode, ServiceError } from '../../shared/core/errors.ts';
import type { LlmProvider, LlmRequest } from '../../shared/core/llm.ts';
import { textOf } from '../../shared/core/llm.ts';
import { type Clock, sleep } from '../../shared/core/ports.ts';
import type { WriteLog } from './invariants.ts';
import type { Chance } from './random.ts';

/** Is this one of the jobs whose answer is kept in chunks as it comes? */
export function isStreamed(id: string): boolean {
  return Number.parseInt(id.slice(-1), 16) % 2 === 0;
}

/** Is this one of the jobs that keep nothing (`store: false`)? */
export function isFleeting(id: string): boolean {
  return Number.parseInt(id.slice(-2, -1), 16) % 3 === 0;
}

/** Is this one of the jobs that another model may answer, too? */
export function hasFallback(id: string): boolean {
  return Number.parseInt(id.slice(-3, -2), 16) % 2 === 0;
}

/** The answer to a job; to one that was made of another it is that one's. */
export function answerOf(id: string): string {
  return `${id} `.repeat(PARTS);
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
};

const TROUBLES: readonly FailureCode[] = [
  ...(['rate_limited', 'rate_limited', 'overloaded', 'overloaded', 'network', 'timeout', 'provider_error'] as const),
  ...(['content_policy', 'auth'] as const),
];
const PARTS = 4;

/** The text that tells the model which job a call is for. */
export function promptOf(id: string): string {
  return `job ${id}`;
}

/** The model as one process calls it. */
export function simulatedModel(
  { clock, luck, log, trouble, slowestMs, waitsMs }: ModelOptions,
  by: string,
): LlmProvider {
  return {
    async *generate(request: LlmRequest, { signal }) {
      const last = request.messages.at(-1);
      const prompted = last ? textOf(last).replace('job ', '') : '';
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
      yield { type: 'usage', usage: { inputTokens: 1, outputTokens: PARTS, totalTokens: PARTS + 1 } };
      yield { type: 'finish', reason: 'stop' };
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
