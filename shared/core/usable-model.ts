/** Which model a submission means. */
import { ServiceError } from './errors.ts';
import type { Findings } from './findings.ts';
import type { JobModel } from './job.ts';
import type { ModelCatalog } from './llm.ts';

/** When to ask again for a model that cannot be used: setting a key takes a person. */
const KEY_WAIT_MS = 60_000;

/**
 * The model that a submission names, itself or in its input; both must mean the same one. What is wrong, or cannot be used
 * yet, is found at the path that `place` makes of its own.
 */
export function modelFound(
  models: ModelCatalog,
  reference: string | undefined,
  inInput: { reference: string; path: string } | undefined,
  findings: Findings,
  place: (path: string) => string,
): JobModel | undefined {
  const own = reference === undefined && inInput ? `input_data.${inInput.path}` : 'model_id';
  const path = place(own);
  const asked = reference ?? inInput?.reference;
  if (asked === undefined) {
    findings.wrong(path, 'is required');
    return undefined;
  }
  const model = models.find(asked);
  if (!model) {
    const usable = models.list().filter(({ runs }) => models.availability(runs).available);
    const names = usable.map((listed) => listed.reference).join(', ');
    const near = models.near(asked);
    const meant = near.length > 0 ? `did you mean ${near.join(' or ')}? ` : '';
    findings.wrong(path, `no such model; ${meant}usable now: ${names}; all models: GET /api/llm/models/`);
    return undefined;
  }
  if (reference !== undefined && inInput && models.find(inInput.reference)?.id !== model.id) {
    findings.wrong(path, `contradicts input_data.${inInput.path} (${inInput.reference}); leave one of them out`);
    return undefined;
  }
  const availability = models.availability(model);
  if (availability.available) return model;
  const error = new ServiceError('model_unavailable', availability.reason, { retryAfterMs: KEY_WAIT_MS });
  findings.unavailable(error, path === own ? undefined : path);
  return undefined;
}
