/** `general_llm_request`: any request, as one text, as a conversation, or in the words of the LLM module (seed 003). */
import { DEFAULT_LIMITS } from '../core/limits.ts';
import { DEFAULT_RETENTION_MS } from '../core/retention.ts';
import { DEFAULT_RETRY } from '../core/retry.ts';
import { checkLlmInput } from '../llm/input-check.ts';
import { didYouMean } from '../llm/near-names.ts';
import { supportedProviders } from '../llm/provider-registry.ts';
import {
  type LlmInput,
  llmRequestFields,
  modelNamedIn,
  refineLlmInput,
  repairsMostOf,
  toLlmRequest,
} from '../llm/request.ts';
import { renderAnswer, renderBesides, toJson, usable } from '../llm/response.ts';
import { schemaWarnings } from '../llm/structured/schema-rules.ts';
import { validatorOf } from '../llm/structured/validator.ts';
import { fields } from './fields.ts';
import type { JobTypeDefinition } from './job-type.ts';

const inputSchema = fields(llmRequestFields)
  .superRefine(refineLlmInput)
  .superRefine(({ llm }, context) => {
    const provider = llm?.llm_model_spec?.provider;
    if (provider === undefined || supportedProviders().includes(provider)) return;
    const message = `must be one of: ${supportedProviders().join(', ')}${didYouMean(provider, supportedProviders())}`;
    context.addIssue({ code: 'custom', path: ['llm', 'llm_model_spec', 'provider'], message });
  });

export const generalLlmRequest: JobTypeDefinition = {
  name: 'general_llm_request',
  inputSchema,
  limits: DEFAULT_LIMITS,
  retry: DEFAULT_RETRY,
  retentionMs: DEFAULT_RETENTION_MS,
  modelOf: (input) => modelNamedIn(input as LlmInput),
  check: (input, model) => checkLlmInput(input as LlmInput, model),
  toRequest: (input, { model }) => toLlmRequest(input as LlmInput, model),
  repairsMost: (input) => repairsMostOf(input as LlmInput),

  async toResult(answer, input) {
    const { response_schema, llm } = input as LlmInput;
    const structured = response_schema && (await validatorOf(response_schema));
    const checked = await usable(answer, structured?.validate);
    if ('violation' in checked) return checked;
    const warnings = [...(response_schema ? await schemaWarnings(response_schema) : []), ...checked.answer.warnings];
    const whole = { ...checked, answer: { ...checked.answer, warnings } };
    const result = { success: true, result: checked.parsed ?? answer.text };
    // Who asked in the module's words is answered in them.
    const besides = llm ? renderAnswer(whole, llm.llm_model_spec?.model ?? '') : renderBesides(whole);
    return { result: toJson({ ...result, ...besides, parsed: undefined }) };
  },
};
