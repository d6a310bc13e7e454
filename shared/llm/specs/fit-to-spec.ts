/** Makes a request such that its model takes all of it. Pure. */
import type { LlmMessage, LlmRequest, ReasoningEffort, Verbosity } from '../../core/llm.ts';
import { type ModelSpec, nameOf, type ParameterName, parameterOf, supports } from './model-spec.ts';
import { isAllowed } from './validate-config.ts';

/** A request, and a sentence for each thing in it that is not as it was asked for. */
export type Fitted = { request: LlmRequest; warnings: string[] };

/** From the least to the most: what is not taken becomes the nearest that is. */
const EFFORTS: readonly ReasoningEffort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'];
const VERBOSITIES: readonly Verbosity[] = ['low', 'medium', 'high'];

const IMAGE_PLACE = '[an image]';

/**
 * The request without what the model does not take, and with values outside a range brought to its nearest end. What fits
 * already is answered as it is.
 */
export function fitToSpec(spec: ModelSpec, request: LlmRequest): Fitted {
  const steps = [fitParameters, fitImages, fitFileSearch, fitTools, fitSchema];
  const warnings: string[] = [];
  const fitted = steps.reduce((sofar, step) => step(spec, sofar, (sentence) => warnings.push(sentence)), request);
  return { request: fitted, warnings };
}

type Warn = (sentence: string) => void;

function fitParameters(spec: ModelSpec, request: LlmRequest, warn: Warn): LlmRequest {
  const changes: Partial<LlmRequest> = {};
  /** Sets the field to the nearest value that the model takes, or to none. */
  const bring = <Key extends keyof LlmRequest>(
    key: Key,
    name: ParameterName,
    nearestTo: (value: NonNullable<LlmRequest[Key]>) => LlmRequest[Key],
  ) => {
    const value = request[key];
    const parameter = parameterOf(spec, name);
    if (value === undefined || value === null || (parameter && isAllowed(parameter, value))) return;
    const nearest = parameter && nearestTo(value);
    changes[key] = nearest as LlmRequest[Key];
    if (!parameter) warn(`${name} was left out: ${nameOf(spec)} does not take it.`);
    else if (nearest === undefined) warn(`${name} was left out: ${nameOf(spec)} takes no such value.`);
    else warn(`${name} was set to ${nearest}: ${nameOf(spec)} does not take ${value}.`);
  };
  const number = (name: ParameterName) => (value: number) => nearestNumber(spec, name, value);
  bring('temperature', 'temperature', number('temperature'));
  bring('topP', 'top_p', number('top_p'));
  bring('maxOutputTokens', 'max_tokens', number('max_tokens'));
  bring('reasoningEffort', 'reasoning.effort', (value) => nearestWord(spec, 'reasoning.effort', EFFORTS, value));
  bring('verbosity', 'text.verbosity', (value) => nearestWord(spec, 'text.verbosity', VERBOSITIES, value));
  return Object.keys(changes).length === 0 ? request : { ...request, ...changes };
}

function nearestNumber(spec: ModelSpec, name: ParameterName, value: number): number | undefined {
  const parameter = parameterOf(spec, name);
  if (!parameter || parameter.type === 'enum') return undefined;
  const { type, minValue = -Infinity, maxValue = Infinity } = parameter;
  const whole = type === 'int' ? Math.floor(value) : value;
  const within = Math.min(Math.max(whole, minValue), maxValue);
  return isAllowed(parameter, within) ? within : undefined;
}

/** The lesser one, where two are as near. */
function nearestWord<Word extends string>(
  spec: ModelSpec,
  name: ParameterName,
  scale: readonly Word[],
  value: Word,
): Word | undefined {
  const parameter = parameterOf(spec, name);
  const at = scale.indexOf(value);
  if (parameter?.type !== 'enum' || at < 0) return undefined;
  const distance = (word: Word) => Math.abs(scale.indexOf(word) - at);
  const taken = scale.filter((word) => parameter.allowedValues.includes(word));
  return taken.sort((left, right) => distance(left) - distance(right))[0];
}

/** A model that cannot see is told where an image was. */
function fitImages(spec: ModelSpec, request: LlmRequest, warn: Warn): LlmRequest {
  if (supports(spec, 'vision')) return request;
  let images = 0;
  const withoutImages = (message: LlmMessage): LlmMessage => {
    if (message.role !== 'user' || typeof message.content === 'string') return message;
    const content = message.content.map((part) => {
      if (part.type === 'text') return part;
      images++;
      return { type: 'text' as const, text: IMAGE_PLACE };
    });
    return { ...message, content };
  };
  const messages = request.messages.map(withoutImages);
  if (images === 0) return request;
  const what = images === 1 ? 'An image was' : `${images} images were`;
  warn(`${what} replaced by "${IMAGE_PLACE}": ${nameOf(spec)} cannot see.`);
  return { ...request, messages };
}

function fitFileSearch(spec: ModelSpec, request: LlmRequest, warn: Warn): LlmRequest {
  if (!request.fileSearch || supports(spec, 'fileSearch')) return request;
  warn(`vector_store_id was left out: ${nameOf(spec)} searches no files.`);
  return { ...request, fileSearch: undefined };
}

/** Calls of earlier turns go, and what they brought is told as the user's words: vendors refuse either without tools. */
function fitTools(spec: ModelSpec, request: LlmRequest, warn: Warn): LlmRequest {
  if (supports(spec, 'tools')) return request;
  const { tools, toolChoice, messages } = request;
  const isAsked = (tools?.length ?? 0) > 0 || toolChoice !== undefined;
  const isToldOf = messages.some(
    (message) => message.role === 'tool' || (message.role === 'assistant' && (message.toolCalls?.length ?? 0) > 0),
  );
  if (isAsked) warn(`tools were left out: ${nameOf(spec)} calls no functions.`);
  if (isToldOf)
    warn(`Calls of functions were left out, and their results told as messages: ${nameOf(spec)} calls none.`);
  if (!isAsked && !isToldOf) return request;
  return { ...request, tools: undefined, toolChoice: undefined, messages: messages.flatMap(withoutCalls) };
}

function withoutCalls(message: LlmMessage): LlmMessage[] {
  if (message.role === 'tool') return [{ role: 'user', content: message.content }];
  if (message.role !== 'assistant' || message.toolCalls === undefined) return [message];
  // A turn that was nothing but calls is empty, which vendors refuse.
  return message.content === '' ? [] : [{ role: 'assistant', content: message.content }];
}

/** The answer is checked against its schema in any case: a model that takes none is asked in words. */
function fitSchema(spec: ModelSpec, request: LlmRequest, warn: Warn): LlmRequest {
  if (!request.responseSchema || supports(spec, 'structuredOutput')) return request;
  warn(`response_schema was asked for in words: ${nameOf(spec)} takes no schema.`);
  const content = `Answer with one JSON value and nothing else: no words around it, no code fence. It must be valid under this JSON Schema:\n${JSON.stringify(request.responseSchema.schema)}`;
  return { ...request, responseSchema: undefined, messages: [...request.messages, { role: 'system', content }] };
}
