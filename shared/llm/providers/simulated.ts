/**
 * A provider that needs no key: deterministic, streamed, scriptable from the prompt (`simulated-script.ts`), and with a
 * background mode, so that everything a real one does to a job can be tried.
 */

import { ServiceError } from '../../core/errors.ts';
import type { Background, FinishReason, LlmPart, LlmProvider, LlmRequest, Tool, ToolCall } from '../../core/llm.ts';
import { textOf } from '../../core/llm.ts';
import { type Clock, sleep } from '../../core/ports.ts';
import { instanceOf } from '../structured/instance.ts';
import { parseScript, questionOf, type Script, scriptedPrompt } from './simulated-script.ts';

/** How many prompts with `times` are remembered, the latest ones. */
const COUNTED_MOST = 1_000;

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
const FILLER = 'This is a simulated answer of the size that was asked for. No model was called and nothing was paid.\n';
const WRONG_SHAPE = JSON.stringify(['This is JSON, and not what was asked for.']);

export function simulatedProvider(settings: { clock: Clock; simulatedMs: number }): LlmProvider {
  const calls = callCounter();
  /** Does this call go wrong? Asked once for each. */
  function goesWrong(request: LlmRequest, { fail, json, failTimes, on = request.model }: Script): boolean {
    if (on !== request.model || (fail === undefined && json === undefined)) return false;
    return failTimes === Infinity || calls(scriptedPrompt(request)) <= failTimes;
  }
  return {
    background: simulatedBackground(settings, goesWrong),

    async *generate(request, { signal }): AsyncIterable<LlmPart> {
      const script = parseScript(scriptedPrompt(request), settings.simulatedMs);
      const isWrong = goesWrong(request, script);
      const { parts, outputTokens, reason, warning, call } = await prepare(request, script, isWrong);
      const fails = script.fail !== undefined && isWrong;
      const pauseMs = script.durationMs / (parts.length + 1);

      await sleep(settings.clock, pauseMs, signal);
      signal.throwIfAborted();
      yield { type: 'accepted', providerRequestId: idOf(request) };
      if (fails && parts.length === 0) throw toldToFail(script);
      for (const [index, text] of parts.entries()) {
        if (fails && index >= script.failAfter) throw toldToFail(script);
        yield { type: 'text-delta', text };
        await sleep(settings.clock, pauseMs, signal);
        signal.throwIfAborted();
      }
      yield* endOf(request, script, { outputTokens, reason, warning, call });
    },
  };
}

/** What comes after the text of an answer. */
function* endOf(
  request: LlmRequest,
  script: Script,
  { call, warning, outputTokens, reason }: Omit<Prepared, 'parts'>,
): Iterable<LlmPart> {
  if (call) yield { type: 'tool-call', call };
  yield { type: 'response', id: idOf(request), model: request.model };
  if (warning !== undefined) yield { type: 'warning', message: warning };
  if (script.usage !== 'none') {
    const inputTokens = estimateTokens(request.messages.map(textOf).join('\n'));
    yield { type: 'usage', usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } };
  }
  yield { type: 'finish', reason };
}

/** The longest answer in the background. */
const BACKGROUND_SECONDS_MOST = 86_400;

/**
 * The background mode. The id of an answer holds all that a look needs beside the request: when it is there, and whether
 * it goes wrong. So it outlives this process.
 */
function simulatedBackground(
  { clock, simulatedMs }: { clock: Clock; simulatedMs: number },
  goesWrong: (request: LlmRequest, script: Script) => boolean,
): Background {
  const scriptOf = (request: LlmRequest) => parseScript(scriptedPrompt(request), simulatedMs, BACKGROUND_SECONDS_MOST);

  async function* partsOf(request: LlmRequest, isWrong: boolean): AsyncIterable<LlmPart> {
    const script = scriptOf(request);
    if (script.fail !== undefined && isWrong) throw toldToFail(script);
    const { parts, ...end } = await prepare(request, script, isWrong);
    if (parts.length > 0) yield { type: 'text-delta', text: parts.join('') };
    yield* endOf(request, script, end);
  }

  return {
    async start(request, { signal }) {
      signal.throwIfAborted();
      const script = scriptOf(request);
      const endsAtMs = Math.ceil(clock.nowMs() + script.durationMs);
      const id = `simulated-${endsAtMs}-${goesWrong(request, script) ? 'wrong' : 'right'}`;
      return { id, providerRequestId: idOf(request) };
    },

    async look(id, request) {
      const [, endsAtMs, how] = /^simulated-(\d+)-(right|wrong)$/.exec(id) ?? [];
      if (endsAtMs === undefined) return { gone: true };
      if (clock.nowMs() < Number(endsAtMs)) return { pending: true };
      return { parts: partsOf(request, how === 'wrong') };
    },

    // Nothing goes on that could be stopped.
    cancel: async () => ({}),
  };
}

function idOf(request: LlmRequest): string {
  return `simulated-${hash(questionOf(request))}`;
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
    return { parts, outputTokens: parts.length, reason: reasonOf(script, parts.length < words.length) };
  }
  const { value, fits } = await instanceOf(request.responseSchema.schema);
  const whole = script.json === 'wrong' && isWrong ? WRONG_SHAPE : JSON.stringify(value);
  const half = Math.ceil(whole.length / 2);
  const said = script.json === 'broken' && isWrong ? whole.slice(0, half) : whole;
  const text = said.slice(0, Math.min(script.finish === 'length' ? half : Infinity, limit * CHARS_PER_TOKEN));
  return {
    parts: piecesOf(text),
    outputTokens: estimateTokens(text),
    reason: reasonOf(script, text.length < said.length),
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
    reason: reasonOf(script, most < size),
  };
}

function reasonOf({ finish }: Script, isCut: boolean): FinishReason {
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

/** The answer, cut into words: always at least ten parts. */
function answerTo(question: string): string[] {
  const asked = [...question.replace(/\[simulate[^\]]*\]/g, '').trim()].slice(0, 80).join('');
  const answer = `This is a simulated answer to "${asked}". No model was called and nothing was paid; the same question always gets the same answer.`;
  return answer.match(/\S+\s*/g) ?? [answer];
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
