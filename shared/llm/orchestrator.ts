/**
 * The library's way in (seed 003): one call, many calls, or the text of one as it comes. No store, no queue, no server: a
 * request goes through its model's spec and provider, and the answer is checked and priced.
 */
import { type CallRecord, collect } from '../core/answers.ts';
import { costOfCall } from '../core/call-cost.ts';
import type { Cost } from '../core/costs.ts';
import { isServiceError, ServiceError } from '../core/errors.ts';
import type { Answer, FinishReason, LlmPart, LlmRequest } from '../core/llm.ts';
import { repairRequest } from '../core/repair.ts';
import { tablePricing } from './cost.ts';
import { type LlmCallRequest, librarySettings, type Plan, planCall } from './plan.ts';
import { providerLoader } from './provider-loader.ts';
import type { ProviderSettings } from './provider-registry.ts';
import { type LlmCallResponse, renderAnswer, renderCost, usable } from './response.ts';

export type CallOptions = {
  /** A ready client of the provider's SDK (`new OpenAI()`), or a mock of one. */
  client?: unknown;
  /** Keys and addresses, where no client is given. */
  settings?: Partial<ProviderSettings> | undefined;
  /** Ends the call; the error's code is `cancelled` then. */
  signal?: AbortSignal | undefined;
  /** Hears every part of the answer as it comes. */
  onPart?: ((part: LlmPart) => void) | undefined;
};

export type CallOutcome =
  | { response: LlmCallResponse; error: null }
  /** `String(error)` is a sentence for people; the guards of `errors.ts` say what kind it is. */
  | { response: null; error: ServiceError };

const pricing = tablePricing();

/** Makes the call that a request describes. Never throws for an expected failure: it answers it. */
export async function executeLlmCall(request: LlmCallRequest, options: CallOptions = {}): Promise<CallOutcome> {
  try {
    return { response: await call(request, options), error: null };
  } catch (error) {
    return { response: null, error: known(error, options.signal) };
  }
}

const AT_ONCE = 5;

/** As `executeLlmCall`, for many requests, a few at a time; the answers stand in the order of the requests. */
export async function executeLlmBatch(
  requests: readonly LlmCallRequest[],
  { atOnce = AT_ONCE, ...options }: CallOptions & { atOnce?: number } = {},
): Promise<CallOutcome[]> {
  const outcomes: CallOutcome[] = [];
  const rest = requests.entries();
  const work = async () => {
    for (const [index, request] of rest) outcomes[index] = await executeLlmCall(request, options);
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(atOnce, requests.length)) }, work));
  return outcomes;
}

export type CompleteOptions = Omit<CallOptions, 'onPart'> &
  NonNullable<NonNullable<LlmCallRequest['llm']>['llm_model_spec']>;

/** Yields the text of an answer as it comes (seed 001). Throws a `ServiceError` when the call fails, or was cut. */
export async function* complete(prompt: string, options: CompleteOptions): AsyncGenerator<string> {
  const { client, settings, signal, ...llm_model_spec } = options;
  const plan = await planCall({ llm: { prompt, llm_model_spec } }, librarySettings(settings), pricing);
  let reason: FinishReason | undefined;
  try {
    for await (const part of await generate(plan, plan.request, { client, settings, signal })) {
      if (part.type === 'text-delta' && part.text !== '') yield part.text;
      if (part.type === 'finish') reason = part.reason;
    }
  } catch (error) {
    throw known(error, signal);
  }
  if (reason === undefined) throw new ServiceError('network', 'The answer was cut before its end.');
  if (reason === 'content_filter') throw new ServiceError('content_policy', 'The answer was withheld by the provider.');
}

async function call(given: LlmCallRequest, options: CallOptions): Promise<LlmCallResponse> {
  const { onPart } = options;
  const plan = await planCall(given, librarySettings(options.settings), pricing);
  const costs: Cost[] = [];
  const warnings = [...plan.warnings];
  let { request } = plan;
  for (let repairs = 0; ; repairs++) {
    const record: CallRecord = { facts: {}, text: '' };
    const answer = await collect(await generate(plan, request, options), record, onPart);
    costs.push(await costOfCall(pricing, plan.model, request, record, undefined, Date.now()));
    const checked = await usable(answer, plan.validate);
    if (!('violation' in checked)) {
      const whole = { ...checked.answer, warnings: [...warnings, ...checked.answer.warnings] };
      return { ...renderAnswer({ ...checked, answer: whole }, plan.model.model), ...renderCost(sum(costs)) };
    }
    if (repairs >= plan.repairsMost) throw rejected(checked.violation, answer);
    warnings.push(`The model was asked to mend its answer: ${checked.violation}.`);
    request = repairRequest({ request, text: answer.text, violation: checked.violation });
  }
}

async function generate(plan: Plan, request: LlmRequest, { client, settings, signal }: CallOptions) {
  const providerFor = providerLoader(librarySettings(settings), client === undefined ? {} : { client });
  const provider = await providerFor(plan.model.provider);
  return provider.generate(request, { signal: signal ?? new AbortController().signal });
}

function rejected(violation: string, { text }: Answer): ServiceError {
  const sentence = `The model's answer cannot be used: ${violation}.`;
  return new ServiceError('schema_violation', sentence, { fields: { rejected_text: text } });
}

function sum(costs: readonly Cost[]): Cost {
  const isEstimated = costs.some((cost) => cost.isEstimated);
  const known = costs.map(({ nanoUsd }) => nanoUsd).filter((nanoUsd) => nanoUsd !== null);
  const nanoUsd = known.length === costs.length ? known.reduce((total, each) => total + each, 0) : null;
  return isEstimated ? { nanoUsd, isEstimated } : { nanoUsd };
}

/** Expected failures are values; a mistake of ours is thrown on. */
function known(error: unknown, signal: AbortSignal | undefined): ServiceError {
  if (isServiceError(error)) return error;
  if (signal?.aborted) return new ServiceError('cancelled', 'The call was cancelled.', { cause: error });
  throw error;
}
