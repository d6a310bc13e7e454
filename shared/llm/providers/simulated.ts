/**
 * A provider that needs no key: deterministic, streamed, and scriptable from the prompt, so that everything a real one
 * does to a job can be tried. A line `[simulate seconds=20 fail=overloaded after=3]` in the last message changes how it
 * answers: `seconds` the whole duration, `fail` an error class, `after` how many parts come before the failure, `times` how
 * many calls with this prompt fail before one succeeds, `retry_after` how many seconds the failure asks us to wait.
 */

import { type ErrorCode, ServiceError } from '../../core/errors.ts';
import type { LlmPart, LlmProvider, LlmRequest } from '../../core/llm.ts';
import { textOf } from '../../core/llm.ts';
import { type Clock, sleep } from '../../core/ports.ts';

const FAILURES = [
  ...(['auth', 'rate_limited', 'quota_exhausted', 'overloaded', 'network', 'timeout'] as const),
  ...(['invalid_request', 'content_policy', 'context_overflow', 'provider_error'] as const),
] satisfies ErrorCode[];

/** An attempt is over by then. */
const SECONDS_MOST = 540;

/** How many prompts with `times` are remembered, the latest ones. */
const COUNTED_MOST = 1_000;

type Script = {
  durationMs: number;
  fail?: (typeof FAILURES)[number];
  failAfter: number;
  failTimes: number;
  retryAfterMs?: number;
};

export function simulatedProvider(settings: { clock: Clock; simulatedMs: number }): LlmProvider {
  const calls = callCounter();
  return {
    async *generate(request, { signal }): AsyncIterable<LlmPart> {
      const script = parseScript(questionOf(request), settings.simulatedMs);
      const fails = script.fail && (script.failTimes === Infinity || calls(questionOf(request)) <= script.failTimes);
      const parts = answerTo(questionOf(request));
      const pauseMs = script.durationMs / (parts.length + 1);

      await sleep(settings.clock, pauseMs, signal);
      signal.throwIfAborted();
      yield { type: 'accepted', providerRequestId: `simulated-${hash(questionOf(request))}` };
      for (const [index, text] of parts.entries()) {
        if (fails && index >= script.failAfter) throw toldToFail(script);
        yield { type: 'text-delta', text };
        await sleep(settings.clock, pauseMs, signal);
        signal.throwIfAborted();
      }
      const inputTokens = estimateTokens(request.messages.map(textOf).join('\n'));
      const outputTokens = parts.length;
      yield { type: 'usage', usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } };
      yield { type: 'finish', reason: 'stop' };
    },
  };
}

function toldToFail({ fail = 'provider_error', retryAfterMs }: Script): ServiceError {
  const sentence = `The simulated model was told to fail: ${fail}.`;
  return new ServiceError(fail, sentence, retryAfterMs === undefined ? {} : { retryAfterMs });
}

/** Counts the calls with each prompt, in this process. */
function callCounter(): (question: string) => number {
  const counts = new Map<string, number>();
  return (question) => {
    const key = `${hash(question)}-${question.length}`;
    const count = (counts.get(key) ?? 0) + 1;
    // Written last, so that the first one is the one that was not asked for the longest.
    counts.delete(key);
    counts.set(key, count);
    if (counts.size > COUNTED_MOST) counts.delete(counts.keys().next().value ?? '');
    return count;
  };
}

function questionOf(request: LlmRequest): string {
  const last = request.messages.at(-1);
  return last ? textOf(last) : '';
}

/** The answer, cut into words: always at least ten parts. */
function answerTo(question: string): string[] {
  const asked = [...question.replace(/\[simulate[^\]]*\]/g, '').trim()].slice(0, 80).join('');
  const answer = `This is a simulated answer to "${asked}". No model was called and nothing was paid; the same question always gets the same answer.`;
  return answer.match(/\S+\s*/g) ?? [answer];
}

function parseScript(question: string, durationMs: number): Script {
  const words = /\[simulate([^\]]*)\]/.exec(question)?.[1]?.trim().split(/\s+/) ?? [];
  const options = new Map(words.map((word): [string, string] => [word.split('=')[0] ?? '', word.split('=')[1] ?? '']));
  const numberOf = (name: string) => {
    const value = Number(options.get(name) || Number.NaN);
    return value >= 0 ? value : undefined;
  };
  const seconds = numberOf('seconds');
  const retryAfter = numberOf('retry_after');
  const fail = FAILURES.find((code) => code === options.get('fail'));
  return {
    durationMs: seconds === undefined ? durationMs : Math.min(seconds, SECONDS_MOST) * 1_000,
    failAfter: numberOf('after') ?? 0,
    failTimes: numberOf('times') ?? Infinity,
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter * 1_000 }),
    ...(fail ? { fail } : {}),
  };
}

function estimateTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}

/** FNV-1a, 32 bits: the same request id for the same question. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return (value >>> 0).toString(16).padStart(8, '0');
}
