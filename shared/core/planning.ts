/**
 * What a submission asks of which models: its own, or its variant's, then its fallbacks. Each variant is looked at, also those
 * that the job does not get, so that what is wrong is found with the first job and not with the hundredth.
 */
import { backgroundErrors } from './background.ts';
import { callEstimateOf } from './call-estimate.ts';
import { isServiceError } from './errors.ts';
import { armOf, type Experiment, experimentErrors, variantOf, variantPath } from './experiments.ts';
import { type Fallback, fallbacksOf, sameRoute } from './fallbacks.ts';
import { type Findings, findings } from './findings.ts';
import { assertInputsFit } from './input-size.ts';
import type { JobModel, Json, Route } from './job.ts';
import type { JobType } from './job-type.ts';
import type { ModelCatalog } from './llm.ts';
import type { Clock } from './ports.ts';
import type { Pricing } from './pricing.ts';
import { modelFound } from './usable-model.ts';

export type PlanningOptions = { models: ModelCatalog; pricing: Pricing; clock: Clock };

/** What a submission says of it. */
type Asked = {
  model?: string | undefined;
  input: Json;
  experiment?: Experiment | undefined;
  arm?: string | undefined;
  fallbacks?: readonly string[] | undefined;
  background?: true | undefined;
  cacheMs?: number | undefined;
  store?: false | undefined;
  stream?: boolean | undefined;
  nanoUsdMost?: number | undefined;
  inputBytesMost?: number | undefined;
};

/** What the job of a submission is. */
export type JobPlan = Route & { input: Json; fallbacks: Route[]; arm: string | undefined };

/** One way to ask: the job's own, or a variant's. */
type Way = {
  /** Of the variant; absent: the job's own. */
  path?: string;
  reference: string | undefined;
  input: Json;
  /** What the variant has in place of the job's. */
  owns: { model: boolean; input: boolean };
};
type UsableWay = Way & { model: JobModel; modelPath: string };

/**
 * Throws `invalid_request` naming all that is wrong, `model_unavailable` for a model that cannot be used yet, or
 * `input_too_large`.
 */
export async function planJob(
  options: PlanningOptions,
  type: JobType,
  submission: Asked,
  jobId: Promise<string>,
): Promise<JobPlan> {
  const { models } = options;
  const { experiment } = submission;
  const found = findings();
  for (const { path, message } of ownErrors(submission)) found.wrong(path, message);
  const ways = waysOf(type, submission, found);
  assertInputsFit([...new Set(ways.map(({ input }) => input))], submission.inputBytesMost);
  const usable = ways.flatMap((way) => usableWay(models, type, way, found) ?? []);
  const isAsked = !experiment?.variants.every((variant) => variant.model !== undefined);
  // One that no variant asks need not be usable, but it has to be one.
  if (!isAsked && submission.model !== undefined && !models.find(submission.model))
    modelFound(models, submission.model, undefined, found, (path) => path);
  const fallbacks = fallbacksOf(models, submission.fallbacks, found);
  for (const way of usable) await lookAt(type, way, fallbacks, found);
  await lookAtFallbacks(type, ways, fallbacks, found);
  if (submission.background) {
    const asked = [...usable.map(({ model, modelPath }) => ({ path: modelPath, model })), ...fallbacks];
    for (const { path, message } of backgroundErrors(models, submission, asked)) found.wrong(path, message);
  }
  found.throwIfAny();
  const variant = experiment && (await variantOf(experiment, await jobId));
  const chosen = usable[variant ?? 0] as UsableWay;
  const plans = await estimates(options, type, submission, { usable, chosen, fallbacks }, found);
  found.throwIfAny();
  const arm = experiment && variant !== undefined ? armOf(experiment, variant) : submission.arm;
  const [own, ...others] = plans as [Route, ...Route[]];
  return { ...own, input: chosen.input, fallbacks: others, arm };
}

function ownErrors({ experiment, store, cacheMs }: Asked) {
  const cached = 'needs an answer that is kept; leave it out, or leave out store: false';
  return [
    ...(experiment ? experimentErrors(experiment) : []),
    ...(cacheMs !== undefined && store === false ? [{ path: 'cache_ttl_seconds', message: cached }] : []),
  ];
}

/** All ways to ask; one whose input is wrong is found, and left out. */
function waysOf(type: JobType, { experiment, model, input }: Asked, found: Findings): Way[] {
  const own: Way = { reference: model, input, owns: { model: false, input: false } };
  if (!experiment) return [own];
  return experiment.variants.flatMap((variant, index): Way[] => {
    const path = variantPath(index);
    const owns = { model: variant.model !== undefined, input: variant.input !== undefined };
    const way = { ...own, path, reference: variant.model ?? model, owns };
    if (!variant.input) return [way];
    const laid = { ...(input as { [field: string]: Json }), ...variant.input };
    const read = type.read?.(laid) ?? { input: laid };
    if ('input' in read) return [{ ...way, input: read.input }];
    for (const wrong of read.wrong) found.wrong(inputPath({ ...way }, wrong.path), wrong.message);
    return [];
  });
}

function usableWay(models: ModelCatalog, type: JobType, way: Way, found: Findings): UsableWay | undefined {
  const named = type.modelOf?.(way.input);
  const place = (path: string) => {
    if (path === 'model_id') return way.owns.model ? `${way.path}.model_id` : path;
    return way.owns.input ? `${way.path}.${path}` : path;
  };
  const model = modelFound(models, way.reference, named, found, place);
  const modelPath = place(way.reference === undefined ? `input_data.${named?.path}` : 'model_id');
  return model && { ...way, model, modelPath };
}

/** Does its input fit its model, and is none of the fallbacks that model? */
async function lookAt(type: JobType, way: UsableWay, fallbacks: readonly Fallback[], found: Findings): Promise<void> {
  const { input, model, modelPath, path, owns } = way;
  for (const each of (await type.check?.(input, model)) ?? []) found.wrong(inputPath(way, each.path), each.message);
  const loop = sameRoute(fallbacks, model);
  if (loop && (owns.model || modelPath.startsWith(`${path}.`))) {
    found.wrong(modelPath, `is ${loop.path} already; name another model here or there`);
  } else if (loop) found.wrong(loop.path, 'is the model of the job already; name another model, or leave it out');
}

/** Does every input fit every fallback? */
async function lookAtFallbacks(
  type: JobType,
  ways: readonly Way[],
  fallbacks: readonly Fallback[],
  found: Findings,
): Promise<void> {
  const wayOf = new Map(ways.toReversed().map((way) => [way.input, way]));
  for (const { input, path, owns } of wayOf.values()) {
    const of = owns.input ? ` of ${path}` : '';
    for (const fallback of fallbacks) {
      for (const each of (await type.check?.(input, fallback.model)) ?? []) {
        found.wrong(fallback.path, `cannot take input_data.${each.path}${of}: ${each.message}`);
      }
    }
  }
}

function inputPath({ path, owns }: Pick<Way, 'path' | 'owns'>, field: string): string {
  const at = field === '' ? 'input_data' : `input_data.${field}`;
  return owns.input || owns.model ? `${path}.${at}` : at;
}

/** The routes of the way that was chosen; where a job may cost only so much, the others are held to it, too. */
async function estimates(
  options: PlanningOptions,
  type: JobType,
  { nanoUsdMost }: Asked,
  { usable, chosen, fallbacks }: { usable: readonly UsableWay[]; chosen: UsableWay; fallbacks: readonly Fallback[] },
  found: Findings,
): Promise<Route[]> {
  const routes: Route[] = [];
  for (const way of nanoUsdMost === undefined ? [chosen] : usable) {
    const inputTokens = options.pricing.estimateInputTokens(type.toRequest(way.input, way.model));
    for (const { model } of [way, ...fallbacks]) {
      const request = type.toRequest(way.input, model);
      try {
        const callEstimate = await callEstimateOf(options, request, model, nanoUsdMost, inputTokens);
        if (way === chosen) routes.push({ model, callEstimate });
      } catch (error) {
        if (!isServiceError(error, 'invalid_request')) throw error;
        for (const { path, message } of error.details ?? []) found.wrong(path, message);
      }
    }
  }
  return routes;
}
