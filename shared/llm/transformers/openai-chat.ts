/**
 * A request in the words of Chat Completions, as every OpenAI-compatible server speaks them. Pure.
 *
 * @see https://platform.openai.com/docs/api-reference/chat/create
 */
import type {
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
  ChatCompletionTool,
} from 'openai/resources/chat/completions';
import type { LlmMessage, LlmRequest, Tool, ToolCall, ToolChoice } from '../../core/llm.ts';
import { toOpenaiFormat } from '../structured/dialects.ts';
import { CHOICE_WITHOUT_TOOLS, given, leftOut, type Transformed } from './transformer.ts';

/** Usage must be asked for: a stream has none otherwise. */
export function toChatBody(request: LlmRequest): Transformed<ChatCompletionCreateParamsStreaming> {
  const { tools = [], toolChoice } = request;
  const body: ChatCompletionCreateParamsStreaming = {
    model: request.model,
    messages: request.messages.map(toMessage),
    ...given(request.temperature, (temperature) => ({ temperature })),
    ...given(request.topP, (top_p) => ({ top_p })),
    // OpenAI's newer name for it is known to few other servers.
    ...given(request.maxOutputTokens, (max_tokens) => ({ max_tokens })),
    ...given(request.reasoningEffort, (reasoning_effort) => ({ reasoning_effort })),
    ...given(request.verbosity, (verbosity) => ({ verbosity })),
    ...given(request.responseSchema, ({ name, schema }) => ({
      response_format: { type: 'json_schema' as const, json_schema: { name, ...toOpenaiFormat(schema) } },
    })),
    ...(tools.length > 0 ? { tools: tools.map(toTool) } : {}),
    ...(tools.length > 0 ? given(toolChoice, (choice) => ({ tool_choice: toChoice(choice) })) : {}),
    stream: true,
    stream_options: { include_usage: true },
  };
  const warnings = [
    ...(request.fileSearch ? [leftOut('Chat Completions', 'file search (vector_store_id)')] : []),
    ...(toolChoice !== undefined && tools.length === 0 ? [CHOICE_WITHOUT_TOOLS] : []),
  ];
  return { body, warnings };
}

function toMessage(message: LlmMessage): ChatCompletionMessageParam {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.content };
    case 'user':
      return {
        role: 'user',
        content:
          typeof message.content === 'string'
            ? message.content
            : message.content.map((part) =>
                part.type === 'text'
                  ? { type: 'text', text: part.text }
                  : { type: 'image_url', image_url: { url: part.url } },
              ),
      };
    case 'assistant': {
      const { content, toolCalls = [] } = message;
      if (toolCalls.length === 0) return { role: 'assistant', content };
      return { role: 'assistant', content: content === '' ? null : content, tool_calls: toolCalls.map(toCall) };
    }
    case 'tool':
      return { role: 'tool', tool_call_id: message.toolCallId, content: message.content };
  }
}

/** Google's servers put a thought's signature beside a call, and refuse the conversation that goes on without it. */
export type SignedToolCall = ChatCompletionMessageFunctionToolCall & {
  extra_content?: { google?: { thought_signature?: string } };
};

function toCall({ id, name, arguments: json, signature }: ToolCall): SignedToolCall {
  return {
    id,
    type: 'function',
    function: { name, arguments: json },
    ...given(signature, (thought_signature) => ({ extra_content: { google: { thought_signature } } })),
  };
}

function toTool({ name, description, parameters }: Tool): ChatCompletionTool {
  return {
    type: 'function',
    function: { name, ...given(description, (text) => ({ description: text })), parameters },
  };
}

function toChoice(choice: ToolChoice): NonNullable<ChatCompletionCreateParamsStreaming['tool_choice']> {
  return typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.name } };
}
