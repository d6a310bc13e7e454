/**
 * The library's way in (seed 003): one call, many calls, or the text of one as it comes. No store, no queue, no server: a
 * request goes through its model's spec and provider, and the answer is checked and priced.
 */
import { type CallRecord, collect } from '../core/answers.ts';
import { affordable, costOfCall } from '../core/call-cost.ts';
import type { Cost } from '../core/costs.ts';
import { invalidRequest, isServiceError, ServiceError } from '../core/errors.ts';
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
  /**
   * `String(error)` is a sentence for people; the guards of `errors.ts` say what kind it is. `cost`: of the calls that
   * were made all the same.
   */
  | { response: null; error: ServiceError; cost: number | null };

const pricing = tablePricing();

/** Makes the call that a request describes. Never throws for an expected failure: it answers it. */
export async function executeLlmCall(request: LlmCallRequest, options: CallOptions = {}): Promise<CallOutcome> {
  const costs: Cost[] = [];
  try {
    return { response: await call(request, options, costs), error: null };
  } catch (error) {
    return { response: null, error: known(error, options.signal), cost: renderCost(sum(costs)).cost };
  }
}

const AT_ONCE = 5;

/**
 * As `executeLlmCall`, for many requests, `atOnce` of them at a time; the answers stand in the order of the requests.
 * Throws `invalid_request` for an `atOnce` that is no whole number from 1 on.
 */
export async function executeLlmBatch(
  requests: readonly LlmCallRequest[],
  { atOnce = AT_ONCE, ...options }: CallOptions & { atOnce?: number } = {},
): Promise<CallOutcome[]> {
  if (!Number.isInteger(atOnce) || atOnce < 1) {
    throw invalidRequest([{ path: 'atOnce', message: 'must be a whole number of at least 1' }]);
  }
  const outcomes: CallOutcome[] = [];
  const rest = requests.entries();
  const work = async () => {
    for (const [index, request] of rest) outcomes[index] = await executeLlmCall(request, options);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, requests.length) }, work));
  return outcomes;
}

export type CompleteOptions = Omit<CallOptions, 'onPart'> &
  NonNullable<NonNullable<LlmCallRequest['llm']>['llm_model_spec']>;

/**
 * Yields the text of an answer as it comes (seed 001). Throws a `ServiceError` when the call fails, was cut, or brought
 * nothing. One that ended at its output limit ends like a whole one: only `executeLlmCall` tells.
 */
export async function* complete(prompt: string, options: CompleteOptions): AsyncGenerator<string> {
  const { client, settings, signal, ...llm_model_spec } = options;
  const plan = await planCall({ llm: { prompt, llm_model_spec } }, librarySettings(settings));
  let said = false;
  let reason: FinishReason | undefined;
  try {
    for await (const part of await generate(plan, plan.request, { client, settings, signal })) {
      if (part.type === 'finish') reason = part.reason;
      if (part.type !== 'text-delta' || part.text === '') continue;
      said = true;
      yield part.text;
    }
  } catch (error) {
    throw known(error, signal);
  }
  if (reason === undefined) throw new ServiceError('network', 'The answer was cut before its end.');
  if (reason === 'content_filter') throw new ServiceError('content_policy', 'The answer was withheld by the provider.');
  if (!said) throw new ServiceError('provider_error', 'The model answered with nothing.');
}

async function call(given: LlmCallRequest, options: CallOptions, costs: Cost[]): Promise<LlmCallResponse> {
  const plan = await planCall(given, librarySettings(options.settings));
  const warnings = [...plan.warnings];
  let asked = plan.request;
  for (let repairs = 0; ; repairs++) {
    const request = await affordable(pricing, plan.model, asked, leftOf(plan, costs), Date.now());
    const answer = await answered(plan, request, options, costs);
    const checked = await usable(answer, plan.validate);
    if (!('violation' in checked)) {
      const whole = { ...checked.answer, warnings: [...warnings, ...checked.answer.warnings] };
      return { ...renderAnswer({ ...checked, answer: whole }, plan.model.model), ...renderCost(sum(costs)) };
    }
    if (repairs >= plan.repairsMost) throw rejected(checked.violation, answer);
    warnings.push(`The model was asked to mend its answer: ${checked.violation}.`);
    asked = repairRequest({ request: asked, text: answer.text, violation: checked.violation });
  }
}

/** What is left of what all calls may cost together. */
function leftOf({ nanoUsdMost }: Plan, costs: readonly Cost[]): number | undefined {
  if (nanoUsdMost === undefined) return undefined;
  return nanoUsdMost - costs.reduce((total, { nanoUsd }) => total + (nanoUsd ?? 0), 0);
}

/** One call, with its cost noted whichever way it ends. */
async function answered(plan: Plan, request: LlmRequest, options: CallOptions, costs: Cost[]): Promise<Answer> {
  const record: CallRecord = { facts: {}, text: '' };
  const startedMs = Date.now();
  const parts = await generate(plan, request, options);
  const note = async (error?: ServiceError) => {
    const isCapped = plan.nanoUsdMost !== undefined;
    costs.push(await costOfCall(pricing, plan.model, request, record, error, startedMs, isCapped));
  };
  try {
    const answer = await collect(parts, record, options.onPart);
    await note();
    return answer;
  } catch (error) {
    await note(isServiceError(error) ? error : undefined);
    throw error;
  }
}

async function generate(plan: Plan, request: LlmRequest, { client, settings, signal }: CallOptions) {
  if (client !== undefined && (typeof client !== 'object' || client === null)) {
    throw invalidRequest([
      { path: 'client', message: "must be a client of the provider's SDK; leave it out otherwise" },
    ]);
  }
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
