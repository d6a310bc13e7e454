/** Which other models a submission lets answer, in order. */
import { callEstimateOf } from './call-estimate.ts';
import { type FieldError, invalidRequest, isServiceError } from './errors.ts';
import type { JobModel, Json, Route } from './job.ts';
import type { JobType } from './job-type.ts';
import type { ModelCatalog } from './llm.ts';
import type { Clock } from './ports.ts';
import type { Pricing } from './pricing.ts';
import { routeName } from './routes.ts';
import { usableModel } from './usable-model.ts';

/** More would only keep a job that fails from its end. */
export const FALLBACKS_MOST = 5;

export type FallbackOptions = { models: ModelCatalog; pricing: Pricing; clock: Clock };

/**
 * The routes of these fallbacks. Throws `invalid_request` that names each which is unknown, given twice, or cannot take the
 * input, and `model_unavailable` for one that cannot be used yet.
 */
export async function fallbackRoutes(
  options: FallbackOptions,
  type: JobType,
  model: JobModel,
  {
    fallbacks = [],
    input,
    nanoUsdMost,
  }: { fallbacks?: readonly string[] | undefined; input: Json; nanoUsdMost?: number | undefined },
): Promise<Route[]> {
  const wrong: FieldError[] = [];
  const taken = new Map([[routeName(model), 'the model of the job']]);
  const routes: Route[] = [];
  for (const [index, reference] of fallbacks.entries()) {
    const path = `fallbacks.${index}`;
    const fallback = usable(options.models, reference, path, wrong);
    if (!fallback) continue;
    const before = taken.get(routeName(fallback));
    if (before) wrong.push({ path, message: `is ${before} already; name another one` });
    taken.set(routeName(fallback), path);
    if (before) continue;
    const unfit = (await type.check?.(input, fallback)) ?? [];
    wrong.push(...unfit.map((each) => ({ path, message: `input_data.${each.path}: ${each.message}` })));
    if (unfit.length > 0) continue;
    const request = type.toRequest(input, fallback);
    routes.push({ model: fallback, callEstimate: await callEstimateOf(options, request, fallback, nanoUsdMost) });
  }
  if (wrong.length > 0) throw invalidRequest(wrong);
  return routes;
}

function usable(models: ModelCatalog, reference: string, path: string, wrong: FieldError[]): JobModel | undefined {
  try {
    return usableModel(models, reference, undefined);
  } catch (error) {
    if (!isServiceError(error, 'invalid_request')) throw error;
    wrong.push(...(error.details ?? []).map(({ message }) => ({ path, message })));
    return undefined;
  }
}
