/** Which other models a submission lets answer, in order. */
import type { Findings } from './findings.ts';
import type { JobModel } from './job.ts';
import type { ModelCatalog } from './llm.ts';
import { routeName } from './routes.ts';
import { modelFound } from './usable-model.ts';

/** More would only keep a job that fails from its end. */
export const FALLBACKS_MOST = 5;
export const FALLBACKS_RULE = `must hold 1 to ${FALLBACKS_MOST} models`;

/** A fallback that is usable, and where the submission names it. */
export type Fallback = { path: string; model: JobModel };

/** The fallbacks that can be called; each that is unknown, given twice, or cannot be used yet is found wrong. */
export function fallbacksOf(
  models: ModelCatalog,
  references: readonly string[] | undefined,
  findings: Findings,
): Fallback[] {
  if (references && (references.length < 1 || references.length > FALLBACKS_MOST)) {
    findings.wrong('fallbacks', FALLBACKS_RULE);
  }
  const fallbacks: Fallback[] = [];
  for (const [index, reference] of (references ?? []).entries()) {
    const path = `fallbacks.${index}`;
    const model = modelFound(models, reference, undefined, findings, () => path);
    const same = model && sameRoute(fallbacks, model);
    if (same) findings.wrong(path, `is ${same.path} already; name another model, or leave it out`);
    else if (model) fallbacks.push({ path, model });
  }
  return fallbacks;
}

/** The fallback that would call what this model is called as. */
export function sameRoute(fallbacks: readonly Fallback[], model: JobModel): Fallback | undefined {
  return fallbacks.find((fallback) => routeName(fallback.model) === routeName(model));
}
