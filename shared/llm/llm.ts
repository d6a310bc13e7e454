/** What programs import as `llm-jobs/llm`: the LLM module without jobs, stores and servers around it. */

export { type ErrorCode, type FieldError, ServiceError } from '../core/errors.ts';
export { type Answer, type LlmPart, type LlmProvider, type LlmRequest, textOf } from '../core/llm.ts';
export { DEFAULT_MAX_RESULTS, DEFAULT_TEMPERATURE, DEFAULT_TOP_P, SUPPORTED_PROVIDERS } from './constants.ts';
export {
  isApiCallError,
  isLlmServiceError,
  isProviderError,
  isRetryable,
  isTransformationError,
  isUnsupportedProviderError,
  isValidationError,
} from './errors.ts';
export { type StartJobOptions, startJob } from './jobs.ts';
export {
  type CallOptions,
  type CallOutcome,
  type CompleteOptions,
  complete,
  executeLlmBatch,
  executeLlmCall,
} from './orchestrator.ts';
export type { LlmCallRequest } from './plan.ts';
export {
  type ProviderEntry,
  type ProviderOptions,
  type ProviderSettings,
  registerProvider,
  registerSpecs,
  registerTransformer,
  supportedProviders,
} from './provider-registry.ts';
export { codeOfStatus, failure } from './providers/failures.ts';
export type { LlmCallResponse } from './response.ts';
export { fitToSpec } from './specs/fit-to-spec.ts';
export {
  type ModelCapabilities,
  type ModelConfig,
  type ModelSpec,
  type NewModelSpec,
  type ParameterSpec,
  supports,
} from './specs/model-spec.ts';
export { type ModelSpecRegistry, modelSpecRegistry, modelSpecs } from './specs/registry.ts';
export { validateConfig } from './specs/validate-config.ts';
export type { Transformed, Transformer } from './transformers/transformer.ts';
