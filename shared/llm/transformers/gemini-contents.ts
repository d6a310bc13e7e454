/** A conversation in Gemini's words. Pure. */
import type {
  Content,
  FunctionCall,
  FunctionCallPart,
  FunctionResponse,
  FunctionResponsePart,
  Part,
} from '@google/generative-ai';
import type { ImagePart, LlmMessage, TextPart, ToolCall } from '../../core/llm.ts';
import { isOurCallId } from './call-ids.ts';
import { inlined, objectIn } from './inlined.ts';
import { given, IMAGE_LEFT_OUT } from './transformer.ts';

type ToolMessage = Extract<LlmMessage, { role: 'tool' }>;
/** Ids, and the signature of a thought, are fields of the public API that are younger than the package's types. */
type CallPart = Omit<FunctionCallPart, 'functionCall'> & {
  functionCall: FunctionCall & { id?: string };
  thoughtSignature?: string;
};
type ResponsePart = Omit<FunctionResponsePart, 'functionResponse'> & {
  functionResponse: FunctionResponse & { id?: string };
};

/** The turns of the conversation; system messages are none. */
export function toContents(messages: readonly LlmMessage[]): { contents: Content[]; warnings: string[] } {
  const contents: Content[] = [];
  const warnings = new Set<string>();
  let calls: readonly ToolCall[] = [];
  let results: ToolMessage[] = [];
  /** Results follow their calls in one turn, in the order of the calls: without ids only the order tells them apart. */
  const endResults = () => {
    if (results.length > 0) contents.push({ role: 'user', parts: resultsOf(results, calls, warnings) });
    results = [];
  };
  for (const message of messages) {
    if (message.role === 'tool') {
      results.push(message);
      continue;
    }
    endResults();
    if (message.role === 'user') contents.push({ role: 'user', parts: partsOf(message.content, warnings) });
    if (message.role === 'assistant') {
      calls = message.toolCalls ?? [];
      const said = message.content === '' && calls.length > 0 ? [] : [{ text: message.content }];
      contents.push({ role: 'model', parts: [...said, ...calls.map((call) => callOf(call, warnings))] });
    }
  }
  endResults();
  return { contents, warnings: [...warnings] };
}

function partsOf(content: string | readonly (TextPart | ImagePart)[], warnings: Set<string>): Part[] {
  if (typeof content === 'string') return [{ text: content }];
  return content.map((part) => {
    if (part.type === 'text') return { text: part.text };
    const inlineData = inlined(part.url);
    if (inlineData) return { inlineData };
    warnings.add('Gemini takes images as data: URLs with base64 only; the others were left out.');
    return { text: IMAGE_LEFT_OUT };
  });
}

function callOf({ id, name, arguments: json, signature }: ToolCall, warnings: Set<string>): CallPart {
  const args = objectIn(json);
  if (!args)
    warnings.add(`The arguments of a call of ${name} are no JSON object; Gemini was told that there were none.`);
  return {
    functionCall: { ...theirId(id), name, args: args ?? {} },
    ...given(signature, (thoughtSignature) => ({ thoughtSignature })),
  };
}

function resultsOf(results: readonly ToolMessage[], calls: readonly ToolCall[], warnings: Set<string>): Part[] {
  const placeOf = ({ toolCallId }: ToolMessage) => calls.findIndex(({ id }) => id === toolCallId);
  return [...results]
    .sort((one, other) => placeOf(one) - placeOf(other))
    .map((result): Part | ResponsePart => {
      const call = calls[placeOf(result)];
      if (call) {
        const response = objectIn(result.content) ?? { output: result.content };
        return { functionResponse: { ...theirId(call.id), name: call.name, response } };
      }
      warnings.add('A tool message answers no call of the turn before it; Gemini was shown it as text.');
      return { text: result.content };
    });
}

/** Gemini would look for an id that it did not give. */
function theirId(id: string): { id?: string } {
  return isOurCallId(id) ? {} : { id };
}
