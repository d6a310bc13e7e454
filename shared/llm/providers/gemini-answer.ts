/** An answer of Gemini's, streamed or whole, as our parts. */
import type { UsageMetadata } from '@google/generative-ai';
import type { Usage } from '../../core/attempt-record.ts';
import { ServiceError } from '../../core/errors.ts';
import type { FinishReason, LlmPart } from '../../core/llm.ts';
import { classifyGeminiError } from './gemini-errors.ts';

/** What the wire holds, as far as we read it; more than the package's types know. */
export type GeminiChunk = {
  candidates?: readonly { content?: { parts?: readonly WirePart[] }; finishReason?: string }[];
  promptFeedback?: { blockReason?: string };
  usageMetadata?: UsageMetadata & { thoughtsTokenCount?: number; toolUsePromptTokenCount?: number };
  responseId?: string;
  modelVersion?: string;
  error?: { code?: number; status?: string; message?: string };
  /** What a client adds that answers like the package, perhaps with nothing else. */
  text?: unknown;
};
type WirePart = {
  text?: string;
  thought?: boolean;
  functionCall?: { id?: string; name?: string; args?: object };
  thoughtSignature?: string;
};

/** Finish reasons that withhold the answer; `text()` throws for only three of them. */
const WITHHELD = new Set([
  'SAFETY',
  'RECITATION',
  'LANGUAGE',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'IMAGE_SAFETY',
]);

export type GeminiAnswer = {
  /** The parts of one chunk, or of a whole answer; its usage comes with `end`. */
  partsOf(chunk: GeminiChunk): Iterable<LlmPart>;
  /** Was a finish reason read? More may still come. */
  isEnded(): boolean;
  /** Its usage and how it ended, as `reason` where it did not say. Throws for an end that is no success. */
  end(reason?: string): Iterable<LlmPart>;
};

/** Reads one answer; `nextId` names calls without an id. */
export function geminiAnswer(nextId: () => string): GeminiAnswer {
  let usage: Usage | undefined;
  let ended: string | undefined;
  let isNamed = false;
  let calls = 0;

  function* saidBy(parts: readonly WirePart[], chunk: GeminiChunk): Iterable<LlmPart> {
    const text = parts.map((part) => (part.thought ? '' : (part.text ?? ''))).join('');
    const said = chunk.candidates === undefined && typeof chunk.text === 'function' ? String(chunk.text()) : text;
    yield said === '' ? { type: 'activity' } : { type: 'text-delta', text: said };
    for (const { functionCall, thoughtSignature: signature } of parts) {
      if (!functionCall) continue;
      const { id, name, args } = functionCall;
      if (!name) throw new ServiceError('provider_error', 'Gemini called a function without a name.');
      calls += 1;
      const call = { id: id || nextId(), name, arguments: JSON.stringify(args ?? {}) };
      yield { type: 'tool-call', call: { ...call, ...(signature === undefined ? {} : { signature }) } };
    }
  }

  return {
    isEnded: () => ended !== undefined,
    *partsOf(chunk) {
      if (chunk.error) throw classifyGeminiError(chunk.error);
      const { responseId: id, modelVersion: model } = chunk;
      if (!isNamed && (id || model)) {
        isNamed = true;
        yield { type: 'response', id: id || undefined, model: model || undefined };
      }
      // Early chunks leave out the count of output tokens; the last one has everything.
      if (chunk.usageMetadata) usage = toUsage(chunk.usageMetadata);
      const blocked = chunk.promptFeedback?.blockReason;
      const candidate = chunk.candidates?.[0];
      const reason = candidate?.finishReason;
      if (blocked || (reason && WITHHELD.has(reason))) {
        if (usage) yield { type: 'usage', usage };
        throw new ServiceError('content_policy', `Gemini withheld the answer: ${wordOf(blocked ?? reason)}.`);
      }
      yield* saidBy(candidate?.content?.parts ?? [], chunk);
      if (reason && reason !== 'FINISH_REASON_UNSPECIFIED') ended = reason;
    },
    *end(reason) {
      if (usage) yield { type: 'usage', usage };
      const last = ended ?? reason;
      if (last !== undefined) yield { type: 'finish', reason: toFinishReason(last, calls > 0) };
    },
  };
}

/** A reason as Google writes them; what stands on the wire may be anything. */
function wordOf(reason: string | undefined): string {
  return /^[A-Z_]{1,40}$/.test(reason ?? '') ? `${reason}` : 'for a reason that we do not know';
}

function toFinishReason(reason: string, hasCalls: boolean): FinishReason {
  // An answer with calls stops like any other.
  if (reason === 'STOP') return hasCalls ? 'tool_calls' : 'stop';
  if (reason === 'MAX_TOKENS') return 'length';
  throw new ServiceError('provider_error', `Gemini ended the answer: ${wordOf(reason)}.`);
}

/** Thoughts are paid for as output, beside the candidates. */
function toUsage(usage: NonNullable<GeminiChunk['usageMetadata']>): Usage {
  const thoughts = usage.thoughtsTokenCount ?? 0;
  return {
    // What its own tools brought is paid for like the prompt, beside it.
    inputTokens: usage.promptTokenCount + (usage.toolUsePromptTokenCount ?? 0),
    outputTokens: (usage.candidatesTokenCount ?? 0) + thoughts,
    totalTokens: usage.totalTokenCount ?? 0,
    cachedInputTokens: usage.cachedContentTokenCount,
    reasoningTokens: usage.thoughtsTokenCount,
  };
}
