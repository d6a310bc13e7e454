/**
 * A provider that needs no key: deterministic, streamed, and scriptable from the prompt, so that everything a real one
 * does to a job can be tried. A line `[simulate seconds=20 fail=overloaded after=3]` in the last message, or in the first
 * of the user's, changes how it answers: `seconds` the whole duration, `fail` an error class, `after` how many parts come
 * before the failure, `times` how many calls with this prompt go wrong before one succeeds, `on=simulated` which model
 * alone goes wrong, `retry_after` how many seconds the failure asks us to wait. `kilobytes=900` makes a text answer that
 * large, `json=broken` cuts a structured answer in its middle, `json=wrong` answers JSON of another shape, `finish=length`
 * ends the answer at the output limit, `tool=name` calls that function where the request offers it, `usage=none` reports
 * no usage.
 */

import { type ErrorCode, ServiceError } from '../../core/errors.ts';
import type { FinishReason, LlmPart, LlmProvider, LlmRequest, Tool, ToolCall } from '../../core/llm.ts';
import { textOf } from '../../core/llm.ts';
import { type Clock, sleep } from '../../core/ports.ts';
import { instanceOf } from '../structured/instance.ts';

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
  kilobytes?: number;
  retryAfterMs?: number;
  /** The model that goes wrong; absent: any. */
  on?: string | undefined;
  json?: string | undefined;
  finish?: string | undefined;
  tool?: string | undefined;
  usage?: string | undefined;
};

/** A simulated answer before it is streamed. */
type Prepared = {
  parts: readonly string[];
  outputTokens: number;
  reason: FinishReason;
  warning?: string | undefined;
  call?: ToolCall | undefined;
};

/** A long answer must not take longer than a short one. */
const PARTS_MOST = 200;
const CHARS_PER_TOKEN = 4;
/** What `kilobytes` may ask for; more than any result that is stored. */
const KILOBYTES_MOST = 16 * 1_024;
const FILLER = 'This is a simulated answer of the size that was asked for. No model was called and nothing was paid.\n';
const WRONG_SHAPE = JSON.stringify(['This is JSON, and not what was asked for.']);

export function simulatedProvider(settings: { clock: Clock; simulatedMs: number }): LlmProvider {
  const calls = callCounter();
  return {
    async *generate(request, { signal }): AsyncIterable<LlmPart> {
      const prompt = scriptedPrompt(request);
      const script = parseScript(prompt, settings.simulatedMs);
      const isMeant = script.on === undefined || script.on === request.model;
      const goesWrong = isMeant && (script.fail !== undefined || script.json !== undefined);
      const isWrong = goesWrong && (script.failTimes === Infinity || calls(prompt) <= script.failTimes);
      const { parts, outputTokens, reason, warning, call } = await prepare(request, script, isWrong);
      const fails = script.fail !== undefined && isWrong;
      const pauseMs = script.durationMs / (parts.length + 1);
      const id = `simulated-${hash(questionOf(request))}`;

      await sleep(settings.clock, pauseMs, signal);
      signal.throwIfAborted();
      yield { type: 'accepted', providerRequestId: id };
      if (fails && parts.length === 0) throw toldToFail(script);
      for (const [index, text] of parts.entries()) {
        if (fails && index >= script.failAfter) throw toldToFail(script);
        yield { type: 'text-delta', text };
        await sleep(settings.clock, pauseMs, signal);
        signal.throwIfAborted();
      }
      if (call) yield { type: 'tool-call', call };
      yield { type: 'response', id, model: request.model };
      if (warning !== undefined) yield { type: 'warning', message: warning };
      if (script.usage !== 'none') {
        const inputTokens = estimateTokens(request.messages.map(textOf).join('\n'));
        yield { type: 'usage', usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } };
      }
      yield { type: 'finish', reason };
    },
  };
}

/** What the model would say if nothing cut it. */
async function prepare(request: LlmRequest, script: Script, isWrong: boolean): Promise<Prepared> {
  const tool = request.toolChoice === 'none' ? undefined : request.tools?.find(({ name }) => name === script.tool);
  if (tool && request.messages.at(-1)?.role !== 'tool') return toolCall(tool, request);
  const limit = Math.max(1, request.maxOutputTokens ?? Infinity);
  if (!request.responseSchema) {
    if (script.kilobytes !== undefined) return prepareLarge(script, script.kilobytes * 1_024, limit);
    const words = answerTo(questionOf(request));
    const most = script.finish === 'length' ? Math.min(limit, Math.ceil(words.length / 2)) : limit;
    const parts = words.slice(0, most);
    return { parts, outputTokens: parts.length, reason: endOf(script, parts.length < words.length) };
  }
  const { value, fits } = await instanceOf(request.responseSchema.schema);
  const whole = script.json === 'wrong' && isWrong ? WRONG_SHAPE : JSON.stringify(value);
  const half = Math.ceil(whole.length / 2);
  const said = script.json === 'broken' && isWrong ? whole.slice(0, half) : whole;
  const text = said.slice(0, Math.min(script.finish === 'length' ? half : Infinity, limit * CHARS_PER_TOKEN));
  return {
    parts: piecesOf(text),
    outputTokens: estimateTokens(text),
    reason: endOf(script, text.length < said.length),
    ...(fits ? {} : { warning: 'The simulated answer does not fit the schema: it has no model to think of one.' }),
  };
}

function prepareLarge(script: Script, size: number, limit: number): Prepared {
  const most = Math.min(script.finish === 'length' ? Math.ceil(size / 2) : size, limit * CHARS_PER_TOKEN);
  const text = FILLER.repeat(Math.ceil(most / FILLER.length)).slice(0, most);
  const pieceSize = Math.ceil(most / PARTS_MOST);
  return {
    parts: Array.from({ length: PARTS_MOST }, (_, n) => text.slice(n * pieceSize, (n + 1) * pieceSize)).filter(Boolean),
    outputTokens: estimateTokens(text),
    reason: endOf(script, most < size),
  };
}

function endOf({ finish }: Script, isCut: boolean): FinishReason {
  return isCut || finish === 'length' ? 'length' : 'stop';
}

async function toolCall({ name, parameters }: Tool, request: LlmRequest): Promise<Prepared> {
  const isAnything = Object.keys(parameters).length === 0;
  const { value } = isAnything ? { value: {} } : await instanceOf(parameters);
  const call = { id: `call_${hash(questionOf(request))}`, name, arguments: JSON.stringify(value) };
  return { parts: [], outputTokens: estimateTokens(call.arguments), reason: 'tool_calls', call };
}

/** At least ten pieces, or as many as there are characters. */
function piecesOf(text: string): string[] {
  const chars = [...text];
  const size = Math.max(
    1,
    Math.min(CHARS_PER_TOKEN, Math.floor(chars.length / 10)),
    Math.ceil(chars.length / PARTS_MOST),
  );
  return Array.from({ length: Math.ceil(chars.length / size) }, (_, n) =>
    chars.slice(n * size, (n + 1) * size).join(''),
  );
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

/** A request to mend an answer ends with our words: the user's own stand first. */
function scriptedPrompt(request: LlmRequest): string {
  const last = questionOf(request);
  if (last.includes('[simulate')) return last;
  const first = request.messages.find(({ role }) => role === 'user');
  return first ? textOf(first) : last;
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
  const kilobytes = numberOf('kilobytes');
  const fail = FAILURES.find((code) => code === options.get('fail'));
  return {
    durationMs: seconds === undefined ? durationMs : Math.min(seconds, SECONDS_MOST) * 1_000,
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

function estimateTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / CHARS_PER_TOKEN));
}

/** FNV-1a, 32 bits: the same request id for the same question. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return (value >>> 0).toString(16).padStart(8, '0');
}
