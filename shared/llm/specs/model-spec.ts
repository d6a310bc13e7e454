/** What is known of a model before it is called. Data, so that it can be listed, shown and registered. */
import { createHash } from 'node:crypto';
import type { FieldError } from '../../core/errors.ts';
import { uuidV8 } from '../../core/ids.ts';
import type { JobModel } from '../../core/job.ts';

export const PARAMETER_NAMES = ['temperature', 'top_p', 'max_tokens', 'reasoning.effort', 'text.verbosity'] as const;
/** What a request can set, in the words of requests. */
export type ParameterName = (typeof PARAMETER_NAMES)[number];

/** A parameter that is a number; without an end it is not bounded there. */
export type NumberParameter = {
  name: ParameterName;
  type: 'float' | 'int';
  minValue?: number | undefined;
  maxValue?: number | undefined;
  defaultValue?: number | undefined;
};
/** A parameter that is one of a few words. */
export type EnumParameter = {
  name: ParameterName;
  type: 'enum';
  allowedValues: readonly string[];
  defaultValue?: string | undefined;
};
/** A parameter that a model takes. `defaultValue`: what the vendor takes where a request says nothing, if that is known. */
export type ParameterSpec = NumberParameter | EnumParameter;

export const CAPABILITIES = [
  ...(['supportsStreaming', 'supportsVision', 'supportsReasoning', 'supportsVerbosity'] as const),
  ...(['supportsFileSearch', 'supportsTools', 'supportsStructuredOutput'] as const),
  'supportsBackground',
] as const;
type Capability = (typeof CAPABILITIES)[number];
/** What a model can do. What is absent, it cannot. */
export type ModelCapabilities = { readonly [name in Capability]?: boolean | undefined };

/** One model, as its vendor describes it. */
export type ModelSpec = {
  /** Stable UUID; it never changes and is never given to another model, for users store it. */
  id: string;
  /** As requests name it: `gpt-4`. */
  modelName: string;
  /** As shown to people: `GPT-4`. */
  displayName: string;
  provider: string;
  /**
   * A model that its vendor retired runs as this one, and has its capabilities and parameters; views go on showing the
   * name that was asked for.
   */
  runsAs?: string | undefined;
  capabilities: ModelCapabilities;
  /** What is not here, the model does not take. */
  parameters: readonly ParameterSpec[];
};

/** A spec as a program registers it: an id is derived from its names, and people see the name that requests use. */
export type NewModelSpec = Omit<ModelSpec, 'id' | 'displayName'> & {
  id?: string | undefined;
  displayName?: string | undefined;
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

/** What a model can be asked about. */
export type Feature =
  | 'streaming'
  | 'vision'
  | 'reasoning'
  | 'verbosity'
  | 'fileSearch'
  | 'tools'
  | 'structuredOutput'
  | 'background';

/** Can this model do that? */
export function supports({ capabilities }: Pick<ModelSpec, 'capabilities'>, feature: Feature): boolean {
  const capability = `supports${feature[0]?.toUpperCase()}${feature.slice(1)}` as Capability;
  return capabilities[capability] ?? false;
}

/** The parameter, if the model takes it. */
export function parameterOf({ parameters }: ModelSpec, name: ParameterName): ParameterSpec | undefined {
  return parameters.find((parameter) => parameter.name === name);
}

/** The model's name in sentences about what it takes. */
export function nameOf({ modelName, runsAs }: ModelSpec): string {
  return runsAs === undefined || runsAs === modelName ? modelName : `${runsAs}, as which ${modelName} runs,`;
}

/** The id that a model of these names always gets, a UUID of version 8. */
export function derivedSpecId(provider: string, modelName: string): string {
  return uuidV8(createHash('sha256').update(`${provider}/${modelName}`).digest());
}

/** The model as a job keeps it: what was asked for, and what the provider is called with. */
export function toJobModel({ id, displayName, provider, modelName, runsAs }: ModelSpec): JobModel {
  return { id, name: displayName, provider, model: runsAs ?? modelName };
}

/** What the models of a family have in common. */
export type ModelFamily = Pick<ModelSpec, 'capabilities' | 'parameters'>;

/**
 * The specs of one provider from rows of id, name for people, vendor's name, family, and the successor of a retired
 * model, whose family its row names.
 */
export function specsOf(
  provider: string,
  rows: readonly (readonly [
    id: string,
    displayName: string,
    modelName: string,
    family: ModelFamily,
    runsAs?: string,
  ])[],
): ModelSpec[] {
  return rows.map(([id, displayName, modelName, { capabilities, parameters }, runsAs]) => ({
    ...{ id, modelName, displayName, provider },
    ...(runsAs === undefined ? {} : { runsAs }),
    ...{ capabilities, parameters },
  }));
}
