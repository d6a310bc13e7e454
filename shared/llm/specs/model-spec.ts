/** What is known of a model before it is called, and whether a configuration fits it. */
import type { FieldError } from '../../core/errors.ts';

/** A parameter that a model takes, under its name in requests: `temperature`, `reasoning.effort`. */
export type ParameterSpec =
  | { name: string; type: 'float' | 'int'; minValue?: number; maxValue?: number; defaultValue?: number }
  | { name: string; type: 'enum'; allowedValues: readonly string[]; defaultValue?: string };

/** What a model can do. What is absent, it cannot. */
export type ModelCapabilities = {
  supportsStreaming?: boolean;
  supportsVision?: boolean;
  supportsReasoning?: boolean;
  supportsVerbosity?: boolean;
  supportsFileSearch?: boolean;
  supportsTools?: boolean;
  supportsStructuredOutput?: boolean;
};

/** One model, as its vendor describes it. */
export type ModelSpec = {
  /** Stable UUID; it never changes and is never given to another model, for users store it. */
  id: string;
  /** As requests name it: `gpt-4`. */
  modelName: string;
  /** As shown to people: `GPT-4`. */
  displayName: string;
  provider: string;
  /** A model that its vendor retired runs as this one; views go on showing the name that was asked for. */
  runsAs?: string;
  capabilities: ModelCapabilities;
  parameters: readonly ParameterSpec[];
};

/** What a request asks of a model beside its prompt, in the words of requests. */
export type ModelConfig = {
  temperature?: number | undefined;
  top_p?: number | undefined;
  max_tokens?: number | undefined;
  reasoning?: { effort?: string | undefined } | undefined;
  text?: { verbosity?: string | undefined } | undefined;
  vector_store_id?: string | undefined;
  tools?: readonly unknown[] | undefined;
  response_schema?: unknown;
  /** Does a message hold an image? */
  hasImages?: boolean | undefined;
};

/** What of a configuration a model does not take; `path` in the words of `ModelConfig`, images as `messages`. */
export type ConfigIssue = FieldError;
