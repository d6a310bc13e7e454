/**
 * What providers say of their limits in the headers of an answer. Gemini says nothing there.
 *
 * - OpenAI, and those who speak as it does: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`; a reset is a duration
 *   (`1s`, `6m0s`, `20ms`) until all of the limit is there again. Azure names seconds, and -1 where it does not know.
 * - Anthropic: `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`; a reset is an
 *   RFC 3339 time, `tokens` is the limit that is hit first.
 *
 * @see https://developers.openai.com/api/docs/guides/rate-limits
 * @see https://platform.claude.com/docs/en/api/rate-limits#response-headers
 * @see https://learn.microsoft.com/en-us/answers/questions/5625878/
 */
import type { Allowance, ProviderLimits } from '../../core/llm.ts';

/** Beyond the longest month a time is a mistake. */
const RESET_MS_MOST = 32 * 86_400_000;

/**
 * The limits that an answer tells of; `undefined` when it tells of none. What cannot be read is not there. Times are
 * counted from the answer's own `Date`, for our clock may be wrong.
 */
export function rateLimitsOf(headers: Headers | undefined, nowMs: number): ProviderLimits | undefined {
  if (!headers) return undefined;
  const answeredMs = Date.parse(headers.get('date') ?? '');
  const fromMs = Number.isNaN(answeredMs) ? nowMs : answeredMs;
  const read = (name: (what: string) => string) => allowanceOf(headers, name, fromMs);
  const openai = (kind: string) => read((what) => `x-ratelimit-${what}-${kind}`);
  const anthropic = (kind: string) => read((what) => `anthropic-ratelimit-${kind}-${what}`);
  const input = anthropic('input-tokens');
  const usedUp = [input, anthropic('output-tokens')].filter((each) => each?.remaining === 0);
  const requests = scarcest([openai('requests'), anthropic('requests')]);
  const tokens = scarcest([openai('tokens'), anthropic('tokens') ?? input, ...usedUp]);
  if (!requests && !tokens) return undefined;
  return { ...(requests ? { requests } : {}), ...(tokens ? { tokens } : {}) };
}

/** How long it takes until what is used up is there again; `undefined` when nothing is. */
export function resetOf({ requests, tokens }: ProviderLimits = {}): number | undefined {
  const resets = [requests, tokens].flatMap((each) => (each?.remaining === 0 ? [each.resetMs] : []));
  return resets.length === 0 ? undefined : Math.max(...resets);
}

function allowanceOf(headers: Headers, name: (what: string) => string, fromMs: number): Allowance | undefined {
  const remaining = countOf(headers.get(name('remaining')));
  const resetMs = waitOf(headers.get(name('reset')), fromMs);
  if (remaining === undefined || resetMs === undefined) return undefined;
  const limit = countOf(headers.get(name('limit')));
  // More than all of it is a mistake in one of the two.
  return limit === undefined || limit === 0 || limit < remaining
    ? { remaining, resetMs }
    : { remaining, resetMs, limit };
}

/** Of what is left the least, of equal amounts the one that takes the longest. */
function scarcest(all: readonly (Allowance | undefined)[]): Allowance | undefined {
  const known = all.filter((each) => each !== undefined);
  return known.sort((a, b) => a.remaining - b.remaining || b.resetMs - a.resetMs)[0];
}

function countOf(text: string | null): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d{1,15}(\.\d+)?$/.test(trimmed) ? Math.floor(Number(trimmed)) : undefined;
}

/** In milliseconds, as Go writes durations. */
const UNITS: Readonly<Record<string, number>> = {
  ...{ d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 },
  ...{ us: 1e-3, µs: 1e-3, μs: 1e-3, ns: 1e-6 },
};
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|us|µs|μs|ns|[dhms]))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|us|µs|μs|ns|[dhms])/g;
/** Numbers from here on are no durations but instants, in seconds or in milliseconds. */
const EPOCH_SECONDS_LEAST = 1e9;
const EPOCH_MS_LEAST = 1e12;
const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** A duration, a number of seconds, or an instant; one that has passed is no wait. */
function waitOf(text: string | null, fromMs: number): number | undefined {
  const waitMs = Math.ceil(Math.max(0, readWait(text?.trim() ?? '', fromMs)));
  return waitMs <= RESET_MS_MOST ? waitMs : undefined;
}

function readWait(text: string, fromMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const number = Number(text);
    if (number < EPOCH_SECONDS_LEAST) return number * 1_000;
    return (number < EPOCH_MS_LEAST ? number * 1_000 : number) - fromMs;
  }
  if (DURATION.test(text)) {
    const parts = [...text.matchAll(DURATION_PART)];
    return parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNITS[unit] ?? Number.NaN), 0);
  }
  return TIME.test(text) ? Date.parse(text) - fromMs : Number.NaN;
}
