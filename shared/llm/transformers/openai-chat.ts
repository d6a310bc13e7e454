/** A request in the words of Chat Completions, as every OpenAI-compatible server speaks them. Pure. */
import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import type { LlmRequest } from '../../core/ports.ts';

/** Usage must be asked for: a stream has none otherwise. */
export function toChatBody(request: LlmRequest): ChatCompletionCreateParamsStreaming {
  return {
    model: request.model,
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    stream: true,
    stream_options: { include_usage: true },
  };
}
