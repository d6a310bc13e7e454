/** Which model a submission means. */
import { invalidRequest, isServiceError, ServiceError } from './errors.ts';
import type { Findings } from './findings.ts';
import type { JobModel } from './job.ts';
import type { ModelCatalog } from './llm.ts';

/** When to ask again for a model that cannot be used: setting a key takes a person. */
const KEY_WAIT_MS = 60_000;

/**
 * The model that a submission names, itself or in its input; both must mean the same one. Throws `invalid_request`, or
 * `model_unavailable` for one that cannot be used yet.
 */
export function usableModel(
  models: ModelCatalog,
  reference: string | undefined,
  inInput: { reference: string; path: string } | undefined,
): JobModel {
  const asked = reference ?? inInput?.reference;
  if (asked === undefined) throw invalidRequest([{ path: 'model_id', message: 'is required' }]);
  const path = reference === undefined ? `input_data.${inInput?.path}` : 'model_id';
  const model = models.find(asked);
  if (!model) {
    const usable = models.list().filter(({ runs }) => models.availability(runs).available);
    const names = usable.map((listed) => listed.reference).join(', ');
    const near = models.near(asked);
    const meant = near.length > 0 ? `did you mean ${near.join(' or ')}? ` : '';
    throw invalidRequest([
      { path, message: `no such model; ${meant}usable now: ${names}; all models: GET /api/llm/models/` },
    ]);
  }
  if (reference !== undefined && inInput && models.find(inInput.reference)?.id !== model.id) {
    const sentence = `contradicts input_data.${inInput.path} (${inInput.reference}); leave one of them out`;
    throw invalidRequest([{ path: 'model_id', message: sentence }]);
  }
  const availability = models.availability(model);
  if (!availability.available)
    throw new ServiceError('model_unavailable', availability.reason, { retryAfterMs: KEY_WAIT_MS });
  return model;
}

/** As `usableModel`; what is wrong is found, at the path that `place` makes of its own. */
export function modelFound(
  models: ModelCatalog,
  reference: string | undefined,
  inInput: { reference: string; path: string } | undefined,
  findings: Findings,
  place: (path: string) => string,
): JobModel | undefined {
  try {
    return usableModel(models, reference, inInput);
  } catch (error) {
    if (isServiceError(error, 'model_unavailable')) {
      const own = reference === undefined ? `input_data.${inInput?.path}` : 'model_id';
      findings.unavailable(error, place(own) === own ? undefined : place(own));
    } else if (isServiceError(error, 'invalid_request')) {
      for (const { path, message } of error.details ?? []) findings.wrong(place(path), message);
    } else throw error;
    return undefined;
  }
}
