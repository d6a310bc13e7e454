/**
 * A request as Vertex AI's Chat Completions take it. Pure.
 *
 * @see https://cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview
 */
import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import type { LlmMessage, LlmRequest } from '../../core/llm.ts';
import { toChatBody } from './openai-chat.ts';
import { IMAGE_LEFT_OUT, leftOut, type Transformed } from './transformer.ts';

/** Verbosity, and images that are not in the request itself, are ignored there or refused. */
export function toVertexBody(request: LlmRequest): Transformed<ChatCompletionCreateParamsStreaming> {
  const { verbosity, reasoningEffort, ...rest } = request;
  const messages = request.messages.map(withoutLinkedImages);
  const isLinking = messages.some((message, index) => message !== request.messages[index]);
  const { body, warnings } = toChatBody({
    ...rest,
    messages,
    ...(reasoningEffort === undefined
      ? {}
      : { reasoningEffort: reasoningEffort === 'xhigh' ? 'high' : reasoningEffort }),
  });
  return {
    body,
    warnings: [
      ...warnings,
      ...(verbosity === undefined ? [] : [leftOut('Vertex AI', 'verbosity')]),
      ...(reasoningEffort === 'xhigh'
        ? ['Vertex AI knows no more than high reasoning effort; high was asked for.']
        : []),
      ...(isLinking ? ['Vertex AI takes images as data: URLs only; the others were left out.'] : []),
    ],
  };
}

function withoutLinkedImages(message: LlmMessage): LlmMessage {
  if (message.role !== 'user' || typeof message.content === 'string') return message;
  if (message.content.every((part) => part.type === 'text' || part.url.startsWith('data:'))) return message;
  const content = message.content.map((part) =>
    part.type === 'text' || part.url.startsWith('data:') ? part : { type: 'text' as const, text: IMAGE_LEFT_OUT },
  );
  return { role: 'user', content };
}
