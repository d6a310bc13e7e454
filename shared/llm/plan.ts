/** From a request to the call that it means: parsed, its model found, judged by the model's spec, held to its price. */
import { z } from 'zod';
import { toNanoUsd } from '../core/costs.ts';
import { invalidRequest, isServiceError, ServiceError } from '../core/errors.ts';
import { toFieldErrors } from '../core/field-errors.ts';
import type { JobModel } from '../core/job.ts';
import type { LlmRequest } from '../core/llm.ts';
import type { Clock } from '../core/ports.ts';
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
import { isZod, type StructuredOutput, type Validate, validatorOf } from './structured/validator.ts';

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

/** A request whose fields are right, and, where it came as a zod schema, what zod makes of an answer. */
export type ParsedRequest = { input: LlmInput; nanoUsdMost: number | undefined; ofZod: StructuredOutput | undefined };

/** Looks at a request for itself, without its model. Throws `invalid_request`. */
export async function parseRequest(given: LlmCallRequest): Promise<ParsedRequest> {
  const asked: unknown = given?.response_schema;
  const ofZod = isZod(asked) ? await validatorOf(asked).catch(atResponseSchema) : undefined;
  const parsed = requestSchema.safeParse(ofZod ? { ...given, response_schema: ofZod.jsonSchema } : given);
  if (!parsed.success) throw invalidRequest(toFieldErrors(parsed.error.issues));
  const { max_cost: usd, ...input } = parsed.data;
  return { input, nanoUsdMost: usd === undefined ? undefined : toNanoUsd(usd), ofZod };
}

function atResponseSchema(error: unknown): never {
  if (!isServiceError(error, 'invalid_request')) throw error;
  const details = error.details ?? [{ path: '', message: error.message }];
  throw invalidRequest(
    details.map(({ path, message }) => ({ path: ['response_schema', path].filter(Boolean).join('.'), message })),
  );
}

/** A call that can be made. */
export type Plan = {
  model: JobModel;
  request: LlmRequest;
  validate: Validate | undefined;
  repairsMost: number;
  /** What all its calls may cost together. */
  nanoUsdMost: number | undefined;
  warnings: readonly string[];
};

/** Plans the call. Throws `invalid_request` or `unsupported_provider`. */
export async function planCall(given: LlmCallRequest, settings: ProviderSettings): Promise<Plan> {
  const { input, nanoUsdMost, ofZod } = await parseRequest(given);
  const model = modelOf(input, settings);
  const wrong = await checkLlmInput(input, model);
  if (wrong.length > 0) throw invalidRequest(wrong);
  const { response_schema: schema } = input;
  const structured = ofZod ?? (schema && (await validatorOf(schema)));
  return {
    model,
    request: toLlmRequest(input, model.model),
    validate: structured?.validate,
    repairsMost: repairsMostOf(input),
    nanoUsdMost,
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
