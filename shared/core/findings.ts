/** What is wrong with a submission, gathered, so that all of it is named at once. */
import { type FieldError, invalidRequest, ServiceError } from './errors.ts';

export type Findings = {
  wrong(path: string, message: string): void;
  /** Nothing is wrong but that a model cannot be used yet; a path is added where the error does not speak of the job's own. */
  unavailable(error: ServiceError, path?: string): void;
  /** Throws `invalid_request` with all that is wrong, each once, or else the first model that cannot be used. */
  throwIfAny(): void;
};

export function findings(): Findings {
  const wrong = new Map<string, FieldError>();
  let missing: ServiceError | undefined;
  return {
    wrong(path, message) {
      wrong.set(`${path}: ${message}`, { path, message });
    },
    unavailable(error, path) {
      missing ??= path === undefined ? error : named(error, path);
    },
    throwIfAny() {
      if (wrong.size > 0) throw invalidRequest([...wrong.values()]);
      if (missing) throw missing;
    },
  };
}

function named({ code, message, retryAfterMs }: ServiceError, path: string): ServiceError {
  return new ServiceError(code, `${path}: ${message}`, {
    details: [{ path, message }],
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
