/** From a request to the call that it means: parsed, its model found, judged by the model's spec, held to its price. */
import { z } from 'zod';
import { toNanoUsd } from '../core/costs.ts';
import { invalidRequest, isServiceError, ServiceError } from '../core/errors.ts';
import { toFieldErrors } from '../core/field-errors.ts';
import type { JobModel } from '../core/job.ts';
import type { JsonObject, LlmRequest } from '../core/llm.ts';
import type { Clock } from '../core/ports.ts';
import type { Pricing } from '../core/pricing.ts';
import { modelCatalog } from './catalog.ts';
import { fields } from './fields.ts';
import { checkLlmInput } from './input-check.ts';
import { type ProviderSettings, providerEntry } from './provider-registry.ts';
import {
  type LlmInput,
  llmRequestFields,
  modelNamedIn,
  refineLlmInput,
  repairsMostOf,
  toLlmRequest,
} from './request.ts';
import { schemaWarnings } from './structured/schema-rules.ts';
import { type Validate, validatorOf } from './structured/validator.ts';

const requestSchema = fields({
  ...llmRequestFields,
  max_cost: z
    .number()
    .positive()
    .describe('In US dollars: what all calls of the request may cost together.')
    .optional(),
}).superRefine(refineLlmInput);

/** The request of seed 003; `response_schema` may be a zod schema, too. */
export type LlmCallRequest = Omit<z.input<typeof requestSchema>, 'response_schema'> & {
  response_schema?: z.ZodType | { [keyword: string]: unknown } | undefined;
};

/** A call that can be made. */
export type Plan = {
  model: JobModel;
  request: LlmRequest;
  validate: Validate | undefined;
  repairsMost: number;
  warnings: readonly string[];
};

/** Plans the call. Throws `invalid_request`, `unsupported_provider` or `cost_limit`. */
export async function planCall(given: LlmCallRequest, settings: ProviderSettings, pricing: Pricing): Promise<Plan> {
  const ofZod = given.response_schema instanceof z.ZodType ? await validatorOf(given.response_schema) : undefined;
  const parsed = requestSchema.safeParse(ofZod ? { ...given, response_schema: ofZod.jsonSchema } : given);
  if (!parsed.success) throw invalidRequest(toFieldErrors(parsed.error.issues));
  const input: LlmInput = parsed.data;
  const model = modelOf(input, settings);
  const wrong = await checkLlmInput(input, model);
  if (wrong.length > 0) throw invalidRequest(wrong);
  const schema = input.response_schema as JsonObject | undefined;
  const structured = ofZod ?? (schema && (await validatorOf(schema)));
  const request = toLlmRequest(input, model.model);
  const { max_cost: maxCost } = parsed.data;
  return {
    model,
    request: maxCost === undefined ? request : await within(pricing, model, request, maxCost),
    validate: structured?.validate,
    repairsMost: repairsMostOf(input),
    // What zod checks itself is checked whole.
    warnings: schema && !ofZod ? await schemaWarnings(schema) : [],
  };
}

function modelOf(input: LlmInput, settings: ProviderSettings): JobModel {
  const named = modelNamedIn(input);
  const path = 'llm.llm_model_spec';
  if (!named) throw invalidRequest([{ path, message: 'is required: { provider, model, … }' }]);
  const catalog = modelCatalog(settings);
  const model = catalog.find(named.reference);
  if (model) return model;
  const provider = input.llm?.llm_model_spec?.provider;
  if (provider !== undefined) assertProvider(provider, `${path}.provider`);
  const near = catalog.near(named.reference);
  const meant = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : '';
  throw invalidRequest([{ path: named.path, message: `no such model${meant}` }]);
}

function assertProvider(provider: string, path: string): void {
  try {
    providerEntry(provider);
  } catch (error) {
    if (!isServiceError(error)) throw error;
    throw new ServiceError(error.code, error.message, { details: [{ path, message: error.message }] });
  }
}

async function within(pricing: Pricing, model: JobModel, request: LlmRequest, usd: number): Promise<LlmRequest> {
  const answer = await pricing.within(model, request, toNanoUsd(usd), Date.now());
  if ('request' in answer) return answer.request;
  throw new ServiceError('cost_limit', answer.refused, { details: [{ path: 'max_cost', message: answer.refused }] });
}

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** The settings of a caller, with what providers need beside them. */
export function librarySettings(settings: Partial<ProviderSettings> = {}): ProviderSettings {
  return { clock, simulatedMs: 1_000, openaiCompatibleModels: [], modelAliases: new Map(), ...settings };
}
