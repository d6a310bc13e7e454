/** A request in the words of Chat Completions, as every OpenAI-compatible server speaks them. Pure. */
import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import { type LlmRequest, textOf } from '../../core/llm.ts';

/** Usage must be asked for: a stream has none otherwise. */
export function toChatBody(request: LlmRequest): ChatCompletionCreateParamsStreaming {
  return {
    model: request.model,
    messages: request.messages.map((message) => ({ role: message.role as 'user', content: textOf(message) })),
    stream: true,
    stream_options: { include_usage: true },
  };
}
