/** What programs import as `llm-jobs/llm`: the LLM module without jobs, stores and servers around it. */

export type { ErrorCode, FieldError, ServiceError } from '../core/errors.ts';
export type { Answer, LlmPart, LlmProvider, LlmRequest } from '../core/llm.ts';
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
  type ProviderSettings,
  registerProvider,
  registerSpecs,
  registerTransformer,
  supportedProviders,
} from './provider-registry.ts';
export type { LlmCallResponse } from './response.ts';
export type { ModelCapabilities, ModelConfig, ModelSpec, ParameterSpec } from './specs/model-spec.ts';
export { type ModelSpecRegistry, modelSpecRegistry, modelSpecs } from './specs/registry.ts';
export type { Transformed, Transformer } from './transformers/transformer.ts';
