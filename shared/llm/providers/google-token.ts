/** Access tokens of Google Cloud, by Application Default Credentials. */
import { type FailureCode, ServiceError } from '../../core/errors.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
/** The library asks again where it gets no answer; a call does not wait for that for ever. */
const TOKEN_MS = 10_000;

const SENTENCES: Partial<Record<FailureCode, string>> = {
  auth: 'Google Cloud gives us no access token: set up Application Default Credentials where the worker runs.',
  network: "Google's token service cannot be reached.",
  overloaded: "Google's token service is out of order.",
  timeout: "Google's token service did not answer in time.",
};

/**
 * Brings an access token; the library keeps it until shortly before its end. Throws a `ServiceError`: `auth` where there
 * are no credentials, or where they are refused.
 *
 * @see https://cloud.google.com/docs/authentication/application-default-credentials
 */
export function googleToken({
  project,
  waitMs = TOKEN_MS,
}: {
  project: string;
  waitMs?: number;
}): () => Promise<string> {
  let loaded: Promise<{ getAccessToken(): Promise<string | null | undefined> }> | undefined;
  return async () => {
    // Without the project it is looked up first, over the network, and for seconds.
    loaded ??= import('google-auth-library').then(
      ({ GoogleAuth }) => new GoogleAuth({ scopes: SCOPE, projectId: project }),
    );
    const auth = await loaded;
    try {
      const token = await inTime(auth.getAccessToken(), waitMs);
      if (token) return token;
    } catch (error) {
      throw failedToken(codeOf(error), error);
    }
    throw failedToken('auth');
  };
}

async function inTime<T>(promise: Promise<T>, waitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failedToken('timeout')), waitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Not those of files: a credential that cannot be read does not come back. */
const CONNECTION_CODES = /^(ECONN|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|EHOST|ENET|EPIPE)/;

function codeOf(error: unknown): FailureCode {
  if (error instanceof ServiceError) return 'timeout';
  const { status, code } = (error ?? {}) as { status?: unknown; code?: unknown };
  if (Number(status) >= 500 || status === 429) return 'overloaded';
  return CONNECTION_CODES.test(String(code)) ? 'network' : 'auth';
}

function failedToken(code: FailureCode, cause?: unknown): ServiceError {
  return new ServiceError(code, SENTENCES[code] ?? '', cause === undefined ? {} : { cause });
}
