/**
 * The request of seed 003, for the library and for `general_llm_request` alike: `llm` holds the conversation and the
 * model's configuration; the same fields beside it are the shorthand of a caller who names the model elsewhere.
 */
import { z } from 'zod';
import type { LlmRequest } from '../core/llm.ts';
import { DEFAULT_MAX_RESULTS } from './constants.ts';
import { fields, text } from './fields.ts';
import { jsonSchema, messages, toMessage, tool, toolChoice, toTool, toToolChoice } from './messages.ts';
import type { ModelConfig } from './specs/model-spec.ts';

const MAX_RESULTS_MOST = 50;
const REPAIRS_MOST = 3;
const REPAIRS_DEFAULT = 1;

/** What the model is told beside the prompt. Ranges are the model's own: its spec says them. */
const parameters = {
  temperature: z.number().optional(),
  top_p: z.number().optional(),
  max_tokens: z
    .int({ error: 'must be a whole number' })
    .min(1, { error: 'must be at least 1' })
    .describe('The output limit, reasoning included.')
    .optional(),
  reasoning: fields({ effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh']).optional() }).optional(),
  text: fields({ verbosity: z.enum(['low', 'medium', 'high']).optional() }).optional(),
};

const conversation = {
  prompt: text.optional(),
  messages: messages.optional(),
  vector_store_id: text.describe('Search this store of the vendor for passages.').optional(),
};

/** The model, and its configuration. */
export const llmModelSpec = fields({ provider: text.optional(), model: text, ...parameters });

const llmConfig = fields({ ...conversation, llm_model_spec: llmModelSpec.optional() });

const besides = {
  max_num_results: z
    .int({ error: `must be a whole number from 1 to ${MAX_RESULTS_MOST}` })
    .min(1, { error: `must be a whole number from 1 to ${MAX_RESULTS_MOST}` })
    .max(MAX_RESULTS_MOST, { error: `must be a whole number from 1 to ${MAX_RESULTS_MOST}` })
    .describe(`How many passages a file search brings at most; ${DEFAULT_MAX_RESULTS} when absent.`)
    .optional(),
  tools: z
    .array(tool)
    .min(1, { error: 'must hold at least one tool' })
    .max(128, { error: 'must hold at most 128 tools' })
    .optional(),
  tool_choice: toolChoice.optional(),
  response_schema: jsonSchema
    .describe('A JSON Schema; the answer is JSON of it, checked, or the job fails with `schema_violation`.')
    .optional(),
  max_repairs: z
    .int({ error: `must be a whole number from 0 to ${REPAIRS_MOST}` })
    .min(0, { error: `must be a whole number from 0 to ${REPAIRS_MOST}` })
    .max(REPAIRS_MOST, { error: `must be a whole number from 0 to ${REPAIRS_MOST}` })
    .describe(`How often the model may mend an answer that is not of response_schema; ${REPAIRS_DEFAULT} when absent.`)
    .optional(),
  validation: z
    .enum(['strict', 'lenient'])
    .describe('What a parameter that the model does not take is: an error (`strict`, when absent), or a warning.')
    .optional(),
};

/** The fields of a request, for schemas that have more of them. */
export const llmRequestFields = {
  llm: llmConfig.optional(),
  ...conversation,
  system_message: text.optional(),
  full_input: text.optional(),
  ...parameters,
  ...besides,
};

export type LlmInput = z.output<z.ZodObject<typeof llmRequestFields>>;

const SHORTHAND = [...Object.keys(conversation), 'system_message', 'full_input', ...Object.keys(parameters)] as const;
const PROMPTS = ['prompt', 'messages', 'full_input'] as const;

/** What contradicts itself in a request, each at its field. */
export function refineLlmInput(input: LlmInput, context: z.core.$RefinementCtx): void {
  const fail = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  const { llm } = input;
  for (const field of SHORTHAND) {
    if (llm && input[field as keyof LlmInput] !== undefined)
      fail([field], 'must not be given beside llm; put it there');
  }
  const at = llm ? ['llm'] : [];
  const holder: LlmInput = llm ? { ...llm } : input;
  const given = PROMPTS.filter((field) => holder[field] !== undefined);
  const names = llm ? 'prompt, messages' : 'prompt, messages, full_input';
  if (given.length === 0) fail([...at, llm ? 'prompt' : 'full_input'], `is required: give exactly one of ${names}`);
  for (const field of given.slice(1)) fail([...at, field], `must not be given beside ${given[0]}`);
  if (input.system_message !== undefined && !given.includes('full_input')) {
    fail(['system_message'], 'goes with full_input only; within messages use the role "system"');
  }
  if (input.max_num_results !== undefined && holder.vector_store_id === undefined) {
    fail(['max_num_results'], 'goes with vector_store_id only');
  }
  if (input.max_repairs !== undefined && input.response_schema === undefined) {
    fail(['max_repairs'], 'goes with response_schema only');
  }
  refineTools(input, fail);
}

function refineTools({ tools, tool_choice: choice }: LlmInput, fail: (path: string[], message: string) => void): void {
  const seen = new Set<string>();
  for (const [index, { function: each }] of (tools ?? []).entries()) {
    if (seen.has(each.name)) fail(['tools', `${index}`, 'function', 'name'], 'is the name of another tool, too');
    seen.add(each.name);
  }
  if (choice === undefined) return;
  if (tools === undefined) fail(['tool_choice'], 'goes with tools only');
  if (tools === undefined || typeof choice === 'string') return;
  const names = tools.map((each) => each.function.name);
  if (!names.includes(choice.function.name)) {
    fail(['tool_choice', 'function', 'name'], `must be one of the tools: ${names.join(', ')}`);
  }
}

/** The conversation and the configuration of a request, wherever it holds them; `at` is that place. */
export function partsOf(input: LlmInput) {
  const { llm } = input;
  const { prompt, messages: turns, vector_store_id: storeId } = llm ?? input;
  const configAt = llm ? 'llm.llm_model_spec.' : '';
  const { temperature, top_p, max_tokens, reasoning, text: style } = llm?.llm_model_spec ?? (llm ? {} : input);
  return {
    prompt,
    turns,
    storeId,
    at: llm ? 'llm.' : '',
    configAt,
    config: { temperature, top_p, max_tokens, reasoning, text: style },
  };
}

/** What the request asks of its model beside the prompt, as specs judge it. */
export function configOf(input: LlmInput): ModelConfig {
  const { turns = [], storeId, config } = partsOf(input);
  const hasImages = turns.some(
    (turn) =>
      turn.role === 'user' &&
      typeof turn.content !== 'string' &&
      turn.content.some((part) => part.type === 'image_url'),
  );
  const { tools, response_schema } = input;
  return { ...config, vector_store_id: storeId, tools, response_schema, hasImages };
}

/** Where in the request a path of `configOf` stands. */
export function pathOf(input: LlmInput, path: string): string {
  const { at, configAt } = partsOf(input);
  const [first = ''] = path.split('.');
  if (first === 'messages' || first === 'vector_store_id') return `${at}${path}`;
  return first === 'tools' || first === 'response_schema' ? path : `${configAt}${path}`;
}

/** The model that the request itself names, and where. */
export function modelNamedIn({ llm }: LlmInput): { reference: string; path: string } | undefined {
  const spec = llm?.llm_model_spec;
  if (!spec) return undefined;
  const reference = spec.provider === undefined ? spec.model : `${spec.provider}/${spec.model}`;
  return { reference, path: 'llm.llm_model_spec.model' };
}

/** How often an answer may be mended. */
export function repairsMostOf({ response_schema, max_repairs = REPAIRS_DEFAULT }: LlmInput): number {
  return response_schema === undefined ? 0 : max_repairs;
}

/** The request as a provider gets it. Pure. */
export function toLlmRequest(input: LlmInput, model: string): LlmRequest {
  const { prompt, turns, storeId, config } = partsOf(input);
  const { system_message: system, full_input, tools, tool_choice, response_schema } = input;
  const said = turns?.map(toMessage) ?? [
    ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
    { role: 'user' as const, content: prompt ?? full_input ?? '' },
  ];
  const maxResults = input.max_num_results ?? DEFAULT_MAX_RESULTS;
  const request: LlmRequest = {
    model,
    messages: said,
    temperature: config.temperature,
    topP: config.top_p,
    maxOutputTokens: config.max_tokens,
    reasoningEffort: config.reasoning?.effort,
    verbosity: config.text?.verbosity,
    fileSearch: storeId === undefined ? undefined : { vectorStoreIds: [storeId], maxResults },
    tools: tools?.map(toTool),
    toolChoice: tool_choice === undefined ? undefined : toToolChoice(tool_choice),
    responseSchema: response_schema === undefined ? undefined : { name: 'answer', schema: response_schema },
  };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as LlmRequest;
}
