/** What can't be valid is not sent: each check answers what goes out, or throws `invalid_request` with the wrong fields. */
import { type FieldError, invalid } from './errors.ts';
import { isClientJobId, isJobId } from './job-id.ts';
import type { Submission } from './submissions.ts';
import type { ListFilters } from './views.ts';

/** As much as a request's body may have. */
const BODY_BYTES_MOST = 10 * 1024 * 1024;
/** As many as the server names. */
const ERRORS_MOST = 20;
const PATH_MOST = 200;

/** A job's id, as it may stand in a path. */
export function checkId(jobId: string): string {
  if (isJobId(jobId)) return jobId;
  throw invalid([{ path: 'jobId', message: 'must be the id of a job, a UUID' }]);
}

/** The JSON of a submission. The server judges the rest of it. */
export function checkSubmission(submission: Submission, jobId: string): string {
  return jsonOf(submission, wrongId('jobId', jobId), jobId);
}

/** What is wrong with an id that a job is to have. */
export function wrongId(path: string, jobId: unknown): FieldError[] {
  return isClientJobId(jobId) ? [] : [{ path, message: 'must be a UUID of version 4 or 7' }];
}

/** As `checkSubmission`, where something may be wrong already. */
export function jsonOf(submission: unknown, wrong: FieldError[], jobId: string | undefined): string {
  const must = (isRight: boolean, path: string, message: string) => {
    if (!isRight && wrong.length < ERRORS_MOST) wrong.push({ path: path.slice(0, PATH_MOST), message });
  };
  const { job_type, model_id = '-', input_data } = (submission ?? {}) as Record<string, unknown>;
  if (isObject(submission)) {
    must(isText(job_type), 'job_type', 'is required, a string');
    must(isText(model_id), 'model_id', 'must be a string, and not empty');
    must(isObject(input_data), 'input_data', 'is required, an object');
  } else must(false, '', 'must be an object');

  const paths = new Map<unknown, string>();
  let at = '';
  let json = '';
  try {
    json = `${JSON.stringify(submission, function (this: Record<string, unknown>, key: string, value: unknown) {
      const parent = paths.get(this);
      at = parent ? `${parent}.${key}` : key;
      paths.set(value, at);
      must(!hasLoneSurrogate(key) && !hasLoneSurrogate(value), at, 'holds a lone surrogate; it must be valid Unicode');
      const isKept = isInJson(value, this[key], Array.isArray(this));
      must(isKept, at, 'cannot be written as JSON');
      return isKept ? value : null;
    })}`;
  } catch {
    // Where it was: an object within itself, or nested without end.
    must(false, at, 'cannot be written as JSON');
  }
  must(
    new TextEncoder().encode(json).length <= BODY_BYTES_MOST,
    '',
    `the submission is larger than ${BODY_BYTES_MOST} bytes`,
  );
  if (wrong.length > 0) throw invalid(wrong, jobId);
  return json;
}

/** By code points the halves of a pair are none. */
const hasLoneSurrogate = (value: unknown) => typeof value === 'string' && /\p{Cs}/u.test(value);

/** Is a value in its JSON? A field that is `undefined` is as good as absent; `given` is the value before `toJSON`. */
function isInJson(value: unknown, given: unknown, isItem: boolean): boolean {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value);
    case 'undefined':
      return given === undefined && !isItem;
    case 'object':
      // A date that is none is `null` in JSON, and a `Map`, a `File` or a promise `{}`.
      if (value === null) return given === null;
      return Array.isArray(value) || Object.keys(value).length > 0 || {}.toString.call(value) === '[object Object]';
    default:
      return typeof value === 'string' || typeof value === 'boolean';
  }
}

type Limits = { timeoutMs?: number; signal?: AbortSignal | undefined; startingAfter?: number };

export function checkWait({ timeoutMs = 1, signal, startingAfter = 0 }: Limits): void {
  const wrong: FieldError[] = [];
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0))
    wrong.push({ path: 'timeoutMs', message: 'must be a number of milliseconds above 0' });
  if (signal && typeof signal.aborted !== 'boolean') wrong.push({ path: 'signal', message: 'must be an AbortSignal' });
  if (!(Number.isSafeInteger(startingAfter) && startingAfter >= 0))
    wrong.push({ path: 'startingAfter', message: 'must be the id of an event' });
  if (wrong.length > 0) throw invalid(wrong);
}

/** A request that stays with this API's host, which gets its token. */
export function checkPath<Request extends { path: string }>(request: Request): Request {
  if (/^\//.test(request.path)) return request;
  throw invalid([{ path: 'path', message: 'must begin with /' }]);
}

/** The query that asks for a list. */
export function checkList(filters: ListFilters & { cursor?: string }): URLSearchParams {
  const { limit = 1 } = filters;
  const isRight = Number.isInteger(limit) && limit >= 1 && limit <= 100;
  if (!isRight) throw invalid([{ path: 'limit', message: 'must be a whole number from 1 to 100' }]);
  const given = Object.entries(filters).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, `${value}`]));
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
