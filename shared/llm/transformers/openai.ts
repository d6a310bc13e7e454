/** A request in OpenAI's words (Responses API). Pure. */
import type { ResponseCreateParamsStreaming } from 'openai/resources/responses/responses';
import { type LlmRequest, textOf } from '../../core/llm.ts';

/** System messages become `instructions`, the rest becomes `input`. OpenAI is asked not to keep the answer. */
export function toResponsesBody(request: LlmRequest): ResponseCreateParamsStreaming {
  const systems = request.messages.filter((message) => message.role === 'system');
  const turns = request.messages.filter((message) => message.role !== 'system');
  return {
    model: request.model,
    input: turns.map((message) => ({ role: message.role as 'user', content: textOf(message) })),
    ...(systems.length > 0 ? { instructions: systems.map((message) => message.content).join('\n\n') } : {}),
    stream: true,
    store: false,
  };
}
