/**
 * A request in OpenAI's words (Responses API). Pure.
 *
 * @see https://platform.openai.com/docs/api-reference/responses/create
 */
import type {
  ResponseCreateParamsStreaming,
  ResponseInputContent,
  ResponseInputItem,
  Tool as ResponsesTool,
} from 'openai/resources/responses/responses';
import type { ImagePart, LlmMessage, LlmRequest, TextPart, ToolChoice } from '../../core/llm.ts';
import { toOpenaiFormat } from '../structured/dialects.ts';
import { CHOICE_WITHOUT_TOOLS, given, systemTextOf, type Transformed } from './transformer.ts';

/** System messages become `instructions`, the rest becomes `input`. OpenAI is asked not to keep the answer. */
export function toResponsesBody(request: LlmRequest): Transformed<ResponseCreateParamsStreaming> {
  const tools = toolsOf(request);
  const choice = tools.length > 0 ? request.toolChoice : undefined;
  const body: ResponseCreateParamsStreaming = {
    model: request.model,
    ...given(systemTextOf(request), (instructions) => ({ instructions })),
    input: request.messages.flatMap(itemsOf),
    ...given(request.temperature, (temperature) => ({ temperature })),
    ...given(request.topP, (top_p) => ({ top_p })),
    ...given(request.maxOutputTokens, (max_output_tokens) => ({ max_output_tokens })),
    ...given(request.reasoningEffort, (effort) => ({ reasoning: { effort } })),
    ...textOf(request),
    ...(tools.length > 0 ? { tools } : {}),
    ...given(choice, (chosen) => ({ tool_choice: toChoice(chosen) })),
    // Without it a search tells only what was searched for, not what was found.
    ...given(request.fileSearch, () => ({ include: ['file_search_call.results' as const] })),
    stream: true,
    store: false,
  };
  return { body, warnings: request.toolChoice !== undefined && choice === undefined ? [CHOICE_WITHOUT_TOOLS] : [] };
}

function itemsOf(message: LlmMessage): ResponseInputItem[] {
  switch (message.role) {
    case 'system':
      return [];
    case 'user':
      return [{ role: 'user', content: contentOf(message.content) }];
    case 'assistant': {
      const calls = (message.toolCalls ?? []).map(
        (call): ResponseInputItem => ({
          type: 'function_call',
          call_id: call.id,
          name: call.name,
          arguments: call.arguments,
        }),
      );
      // Calls without a word have no message beside them.
      const isSilent = message.content === '' && calls.length > 0;
      return isSilent ? calls : [{ role: 'assistant', content: message.content }, ...calls];
    }
    case 'tool':
      return [{ type: 'function_call_output', call_id: message.toolCallId, output: message.content }];
  }
}

function contentOf(content: string | readonly (TextPart | ImagePart)[]): string | ResponseInputContent[] {
  if (typeof content === 'string') return content;
  return content.map((part) =>
    part.type === 'text'
      ? { type: 'input_text', text: part.text }
      : { type: 'input_image', image_url: part.url, detail: 'auto' },
  );
}

function textOf({ responseSchema, verbosity }: LlmRequest): Pick<ResponseCreateParamsStreaming, 'text'> {
  if (!responseSchema && verbosity === undefined) return {};
  return {
    text: {
      ...given(responseSchema, ({ name, schema }) => ({
        format: { type: 'json_schema' as const, name, ...toOpenaiFormat(schema) },
      })),
      ...given(verbosity, (value) => ({ verbosity: value })),
    },
  };
}

function toolsOf({ tools = [], fileSearch }: LlmRequest): ResponsesTool[] {
  const functions = tools.map(
    ({ name, description, parameters }): ResponsesTool => ({
      type: 'function',
      name,
      ...given(description, (text) => ({ description: text })),
      parameters,
      // Strict, which is OpenAI's default, takes few of the schemas that people write.
      strict: false,
    }),
  );
  if (!fileSearch) return functions;
  const { vectorStoreIds, maxResults } = fileSearch;
  return [...functions, { type: 'file_search', vector_store_ids: [...vectorStoreIds], max_num_results: maxResults }];
}

function toChoice(choice: ToolChoice): NonNullable<ResponseCreateParamsStreaming['tool_choice']> {
  return typeof choice === 'string' ? choice : { type: 'function', name: choice.name };
}
