/** What goes wrong, as the one error class that this package throws. */

/** One wrong field of a submission: where it is (`input_data.prompt`) and what would be right. */
export type FieldError = { path: string; message: string };

/**
 * Codes of the client's own. All others are the server's, as its `code` says: `job_not_found`, `rate_limited`,
 * `idempotency_conflict`…; an answer without one is `http_<status>`.
 */
export type ClientErrorCode =
  /** It can't be valid: nothing was sent. */
  | 'invalid_request'
  /** No answer came: the network, or a server that is silent. */
  | 'no_answer'
  /** What came is not of this API: a proxy, or another server. */
  | 'bad_answer'
  /** The time that the caller gave is up. The job goes on; wait again with its id. */
  | 'wait_timeout'
  /** Of the React hook: what a function of the page's own threw, like its `token`. */
  | 'unexpected';

export type LlmJobsErrorOptions = {
  cause?: unknown;
  jobId?: string | undefined;
  status?: number | undefined;
  retryAfterMs?: number | undefined;
  requestId?: string | undefined;
  details?: readonly FieldError[] | undefined;
  reason?: string | undefined;
};

/** An error whose `message` is a sentence that may be shown to people. */
export class LlmJobsError extends Error {
  override readonly name = 'LlmJobsError';
  /** Stable, to be decided by. */
  readonly code: ClientErrorCode | (string & {});
  /** The job that it is about: what to wait for again, or to submit again without fear. */
  readonly jobId: string | undefined;
  /** The HTTP status, of an answer. */
  readonly status: number | undefined;
  /** The soonest time at which trying again makes sense. */
  readonly retryAfterMs: number | undefined;
  /** What the server calls the request, for whoever looks into its logs. */
  readonly requestId: string | undefined;
  /** The wrong fields of a request. */
  readonly details: readonly FieldError[] | undefined;
  /** Of `unauthenticated`: `missing`, `expired`, `unknown`… */
  readonly reason: string | undefined;

  constructor(code: LlmJobsError['code'], message: string, options: LlmJobsErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.jobId = options.jobId;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.requestId = options.requestId;
    this.details = options.details;
    this.reason = options.reason;
  }
}

/** What a request can't be sent with, each at its field. */
export function invalid(details: readonly FieldError[], jobId?: string): LlmJobsError {
  const sentence = details.map(({ path, message }) => (path && `${path}: `) + message).join('; ');
  return new LlmJobsError('invalid_request', sentence, { details, jobId });
}
