/**
 * A request in Anthropic's words (Messages API). Pure.
 *
 * @see https://platform.claude.com/docs/en/api/messages
 */
import type {
  MessageCreateParamsStreaming,
  OutputConfig,
  ToolChoice as TheirChoice,
  Tool as TheirTool,
} from '@anthropic-ai/sdk/resources/messages/messages';
import type { LlmRequest, ReasoningEffort, Tool, ToolChoice } from '../../core/llm.ts';
import { parameterOf } from '../specs/model-spec.ts';
import { modelSpecs } from '../specs/registry.ts';
import { toAnthropicSchema } from '../structured/dialects.ts';
import { toMessages } from './anthropic-messages.ts';
import { CHOICE_WITHOUT_TOOLS, given, leftOut, systemTextOf, type Transformed } from './transformer.ts';

/** What a model is taken to say at most of which nobody knows: every one that is served says more. */
const OUTPUT_TOKENS_UNKNOWN = 8_192;

/** System messages become `system`. A limit must be named: the model's own where the request has none. */
export function toAnthropicBody(request: LlmRequest): Transformed<MessageCreateParamsStreaming> {
  const { model, tools = [], toolChoice, temperature, topP, reasoningEffort: effort } = request;
  const { messages, warnings } = toMessages(request.messages);
  const output = outputOf(request);
  const body: MessageCreateParamsStreaming = {
    model,
    max_tokens: request.maxOutputTokens ?? outputTokensMost(model),
    ...given(systemTextOf(request) || undefined, (system) => ({ system })),
    messages,
    ...given(temperature, (value) => ({ temperature: value })),
    // The models refuse one beside the other.
    ...(temperature === undefined ? given(topP, (top_p) => ({ top_p })) : {}),
    ...given(effort, (value) => thinkingOf(model, value)),
    ...(Object.keys(output).length > 0 ? { output_config: output } : {}),
    ...(tools.length > 0 ? { tools: tools.map(toTool) } : {}),
    ...(tools.length > 0 ? given(toolChoice, (choice) => ({ tool_choice: toChoice(choice) })) : {}),
    stream: true,
  };
  if (temperature !== undefined && topP !== undefined) {
    warnings.push('Anthropic takes temperature or top_p, not both; top_p was left out.');
  }
  if (effort === 'minimal') warnings.push('Anthropic knows no minimal reasoning effort; low was asked for.');
  if (request.verbosity !== undefined) warnings.push(leftOut('Anthropic', 'verbosity'));
  if (request.fileSearch) warnings.push(leftOut('Anthropic', 'file search (vector_store_id)'));
  if (toolChoice !== undefined && tools.length === 0) warnings.push(CHOICE_WITHOUT_TOOLS);
  return { body, warnings };
}

function outputTokensMost(model: string): number {
  const spec = modelSpecs.find('anthropic', model);
  const limit = spec && parameterOf(spec, 'max_tokens');
  return (limit?.type === 'int' ? limit.maxValue : undefined) ?? OUTPUT_TOKENS_UNKNOWN;
}

/**
 * Models before 4.6 know efforts, but no adaptive thinking. Those of the fourth generation think only when asked, and some
 * refuse to be told not to.
 *
 * @see https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html
 */
function thinkingOf(model: string, effort: ReasoningEffort): Pick<MessageCreateParamsStreaming, 'thinking'> {
  if (effort === 'none') return /-4-\d/.test(model) ? {} : { thinking: { type: 'disabled' } };
  return model.includes('-4-5') ? {} : { thinking: { type: 'adaptive' } };
}

function outputOf({ reasoningEffort: effort, responseSchema }: LlmRequest): OutputConfig {
  return {
    ...(effort === undefined || effort === 'none' ? {} : { effort: effort === 'minimal' ? 'low' : effort }),
    ...given(responseSchema, ({ schema }) => ({
      format: { type: 'json_schema' as const, schema: toAnthropicSchema(schema) },
    })),
  };
}

function toTool({ name, description, parameters }: Tool): TheirTool {
  return {
    name,
    ...given(description, (text) => ({ description: text })),
    input_schema: { ...parameters, type: 'object' },
  };
}

function toChoice(choice: ToolChoice): TheirChoice {
  if (typeof choice !== 'string') return { type: 'tool', name: choice.name };
  return { type: choice === 'required' ? 'any' : choice };
}
