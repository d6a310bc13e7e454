/**
 * What a line in a prompt asks of the simulated provider. Pure. A line `[simulate seconds=20 fail=overloaded after=3]` in
 * the last message, or in the first of the user's, changes how it answers: `seconds` the whole duration, `fail` an error
 * class, `after` how many parts come before the failure, `times` how many calls with this prompt go wrong before one
 * succeeds, `on=simulated` which model alone goes wrong, `retry_after` how many seconds the failure asks us to wait.
 * `kilobytes=900` makes a text answer that large, `json=broken` cuts a structured answer in its middle, `json=wrong`
 * answers JSON of another shape, `finish=length` ends the answer at the output limit, `tool=name` calls that function
 * where the request offers it, `usage=none` reports no usage.
 */
import type { ErrorCode } from '../../core/errors.ts';
import { type LlmRequest, textOf } from '../../core/llm.ts';

const FAILURES = [
  ...(['auth', 'rate_limited', 'quota_exhausted', 'overloaded', 'network', 'timeout'] as const),
  ...(['invalid_request', 'content_policy', 'context_overflow', 'provider_error'] as const),
] satisfies ErrorCode[];

/** An attempt is over by then. */
const SECONDS_MOST = 540;

export type Script = {
  durationMs: number;
  fail?: (typeof FAILURES)[number];
  failAfter: number;
  failTimes: number;
  kilobytes?: number;
  retryAfterMs?: number;
  /** The model that goes wrong; absent: any. */
  on?: string | undefined;
  json?: string | undefined;
  finish?: string | undefined;
  tool?: string | undefined;
  usage?: string | undefined;
};

/** What `kilobytes` may ask for; more than any result that is stored. */
const KILOBYTES_MOST = 16 * 1_024;

/** What the request asks last. */
export function questionOf(request: LlmRequest): string {
  const last = request.messages.at(-1);
  return last ? textOf(last) : '';
}

/** A request to mend an answer ends with our words: the user's own stand first. */
export function scriptedPrompt(request: LlmRequest): string {
  const last = questionOf(request);
  if (last.includes('[simulate')) return last;
  const first = request.messages.find(({ role }) => role === 'user');
  return first ? textOf(first) : last;
}

/** The script in a prompt; `secondsMost` is how long an answer may take. */
export function parseScript(question: string, durationMs: number, secondsMost = SECONDS_MOST): Script {
  const words = /\[simulate([^\]]*)\]/.exec(question)?.[1]?.trim().split(/\s+/) ?? [];
  const options = new Map(words.map((word): [string, string] => [word.split('=')[0] ?? '', word.split('=')[1] ?? '']));
  const numberOf = (name: string) => {
    const value = Number(options.get(name) || Number.NaN);
    return value >= 0 ? value : undefined;
  };
  const seconds = numberOf('seconds');
  const retryAfter = numberOf('retry_after');
  const kilobytes = numberOf('kilobytes');
  const fail = FAILURES.find((code) => code === options.get('fail'));
  return {
    durationMs: seconds === undefined ? durationMs : Math.min(seconds, secondsMost) * 1_000,
    failAfter: numberOf('after') ?? 0,
    failTimes: numberOf('times') ?? Infinity,
    ...(kilobytes === undefined ? {} : { kilobytes: Math.min(Math.ceil(kilobytes), KILOBYTES_MOST) }),
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter * 1_000 }),
    ...(fail ? { fail } : {}),
    on: options.get('on'),
    json: options.get('json'),
    finish: options.get('finish'),
    tool: options.get('tool'),
    usage: options.get('usage'),
  };
}
