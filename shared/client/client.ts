/**
 * The client of the Jobs API, for browsers and Node 20 and newer, without dependencies.
 *
 *     const jobs = createClient({ baseUrl: 'https://jobs.example.com' });
 *     const job = await jobs.submitAndWait({
 *       job_type: 'general_llm_request', model_id: 'gpt-4o-mini', input_data: { prompt: 'Say hello.' },
 *     });
 *     if (job.status === 'completed') console.log(job.result_data);
 *
 * Ids of jobs are made here, before anything is sent: a page that keeps one finds its job again after a reload.
 */
import { checkId, checkList, checkPath, checkSubmission, checkWait } from './checks.ts';
import { LlmJobsError } from './errors.ts';
import { newJobId } from './job-id.ts';
import { persist, type Try } from './persisting.ts';
import { type ApiRequest, type ClientOptions, notOurs, objectIn, sender, within } from './requests.ts';
import { type JobEvent, type StreamOptions, streamOf } from './streaming.ts';
import type { Submission } from './submissions.ts';
import type { EndedJob, JobList, JobResult, JobToken, JobView, ListFilters, SubmittedJob } from './views.ts';
import { browserVisibility, type VisibilitySource } from './visibility.ts';
import { BODY_MS, isAbout, type WaitOptions, waitFor } from './waiting.ts';

export * from './errors.ts';
export type * from './general-input.ts';
export { newJobId } from './job-id.ts';
export type { ClientOptions } from './requests.ts';
export type * from './results.ts';
export type { JobEvent, StreamOptions } from './streaming.ts';
export type * from './submissions.ts';
export type * from './views.ts';
export { alwaysActive, browserVisibility, type VisibilitySource } from './visibility.ts';
export type { WaitOptions } from './waiting.ts';

export type CallOptions = {
  /** Breaks the call off. */
  signal?: AbortSignal;
  /** How long to try (30 s): what may pass (no network, 429, 5xx) is tried again until then. */
  timeoutMs?: number;
};

export type SubmitOptions = CallOptions & {
  /** The job's id, from `newJobId()`: submit it again under the same id, after a reload or an error, and it is one job. */
  jobId?: string;
  /** With `true` the signal cancels the job, too, which may have been stored without our knowing. */
  cancel?: boolean;
};

export type JobsClient = {
  /** Submits a job: it is stored, and will run, once this resolves. */
  submit(submission: Submission, options?: SubmitOptions): Promise<SubmittedJob>;
  /** The job when it is over: completed, failed or cancelled. A job that failed is no error of the wait. */
  wait<Result = unknown>(jobId: string, options?: WaitOptions): Promise<EndedJob<Result>>;
  /** `submit`, then `wait`, within one time limit. */
  submitAndWait<Result = unknown>(
    submission: Submission,
    options?: WaitOptions & { jobId?: string },
  ): Promise<EndedJob<Result>>;
  /** The job as it happens, whatever becomes of the connection; the last event is `done`. */
  stream<Result = unknown>(jobId: string, options?: StreamOptions): AsyncGenerator<JobEvent<Result>, void, undefined>;
  /** The job as it is now. */
  get<Result = unknown>(jobId: string, options?: CallOptions): Promise<JobView<Result>>;
  /** The result of a completed job; `job_not_complete` before. */
  result<Result = unknown>(jobId: string, options?: CallOptions): Promise<JobResult<Result>>;
  /** One's jobs, the newest first, page after page as they are read. */
  list(filters?: ListFilters, options?: CallOptions): AsyncGenerator<JobView, void, undefined>;
  /** One page of that, from a `cursor` on. */
  listPage(filters?: ListFilters & { cursor?: string }, options?: CallOptions): Promise<JobList>;
  /** Asks for the end of a job, as often as one likes; one that is over stays as it is. */
  cancel(jobId: string, options?: CallOptions): Promise<JobView>;
  /** Removes a job and what it held; one that runs is cancelled. */
  delete(jobId: string, options?: CallOptions): Promise<void>;
  /** Makes one new job of a job that failed or was cancelled. */
  retry(jobId: string, options?: CallOptions): Promise<SubmittedJob>;
  /** A token for this one job, for a page that has no credentials of its own. */
  jobToken(jobId: string, options?: CallOptions): Promise<JobToken>;
  /**
   * Any other request to the API: `request<Models>({ path: '/api/llm/models/' })`. The same errors, and the same patience, but
   * for a POST about no job and without an `Idempotency-Key`, which is sent once.
   */
  request<Answer>(request: ApiRequest, options?: CallOptions): Promise<Answer>;
};

const CALL_MS = 30_000;
/** How long it may take until an answer begins. */
const ANSWER_MS = 15_000;
/** How long after it was broken off a submit may still take effect. */
const ARRIVING_MS = 20_000;
const JOBS = '/api/llm/jobs/';

/** A client; throws where the options can't be right. */
export function createClient(options: ClientOptions & { visibility?: VisibilitySource } = {}): JobsClient {
  const send = sender(options);
  const { visibility = browserVisibility } = options;

  async function call<Answer>(
    request: ApiRequest,
    { signal, timeoutMs = CALL_MS }: CallOptions = {},
    isRight = (_answer: object) => true,
  ): Promise<Answer> {
    checkWait({ timeoutMs, signal });
    const { jobId } = request;
    const tryOnce: Try<Answer> = (stop, pace) =>
      within(ANSWER_MS, stop, jobId, async (limited, extend) => {
        const response = await send(request, limited, pace);
        // It has begun to come, and may be large.
        extend(BODY_MS);
        const answer = await objectIn(response, limited, jobId);
        if (!isRight(answer)) throw notOurs(jobId, response);
        return { done: answer as Answer };
      });
    const timedOut = (last?: LlmJobsError) =>
      last ?? new LlmJobsError('no_answer', `The server did not answer within ${timeoutMs / 1_000} s.`, { jobId });
    // What makes something without an id might make it twice.
    const isOnce = request.method === 'POST' && !jobId && !request.headers?.['Idempotency-Key'];
    return persist(tryOnce, { signal, timeoutMs, timedOut, endsEarly: true, isOnce });
  }

  const ofJob = <Answer>(jobId: string, suffix: string, more: Partial<ApiRequest>, callOptions?: CallOptions) =>
    call<Answer>({ ...more, path: `${JOBS}${checkId(jobId)}/${suffix}`, jobId }, callOptions, (answer) =>
      isAbout(answer, jobId, suffix === 'retry/' ? 'retry_of' : 'job_id'),
    );

  const client: JobsClient = {
    async submit(submission, { jobId = newJobId(), ...options } = {}) {
      const body = checkSubmission(submission, jobId);
      options.signal?.throwIfAborted();
      const submitting = ofJob<SubmittedJob>(jobId, '', { method: 'PUT', body }, options);
      return cancelling(options, submitting, () => cancelLater(jobId, false));
    },

    async wait<Result>(jobId: string, waitOptions: WaitOptions = {}) {
      checkWait(waitOptions);
      const waiting = waitFor<Result>(send, visibility, checkId(jobId), waitOptions);
      return cancelling(waitOptions, waiting, () => cancelLater(jobId, true));
    },

    async submitAndWait<Result>(
      submission: Submission,
      { jobId = newJobId(), ...waitOptions }: WaitOptions & { jobId?: string } = {},
    ) {
      checkWait(waitOptions);
      const body = checkSubmission(submission, jobId);
      const { signal, timeoutMs } = waitOptions;
      signal?.throwIfAborted();
      const startedMs = performance.now();
      let isStored = false;
      const limits = { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
      const whole = ofJob<SubmittedJob>(jobId, '', { method: 'PUT', body }, limits).then((submitted) => {
        isStored = true;
        const left = timeoutMs === undefined ? {} : { timeoutMs: timeoutMs - (performance.now() - startedMs) };
        return waitFor<Result>(send, visibility, jobId, { ...waitOptions, ...left }, submitted.poll_after_ms);
      });
      return cancelling(waitOptions, whole, () => cancelLater(jobId, isStored));
    },

    stream<Result>(jobId: string, streamOptions: StreamOptions = {}) {
      checkWait(streamOptions);
      return streamOf<Result>(send, visibility, checkId(jobId), streamOptions);
    },

    get: async (jobId, callOptions) => ofJob(jobId, 'status/', {}, callOptions),
    result: async (jobId, callOptions) => ofJob(jobId, 'result/', {}, callOptions),

    async *list(filters = {}, callOptions) {
      let cursor: string | undefined;
      do {
        const page: JobList = await client.listPage({ ...filters, ...(cursor && { cursor }) }, callOptions);
        yield* page.jobs;
        cursor = page.next_cursor;
      } while (cursor !== undefined);
    },

    listPage: async (filters = {}, callOptions) =>
      call({ path: `${JOBS}?${checkList(filters)}` }, callOptions, (answer) => 'jobs' in answer),
    cancel: async (jobId, callOptions) => ofJob(jobId, 'cancel/', { method: 'POST' }, callOptions),
    delete: async (jobId, callOptions) => void (await ofJob(jobId, '', { method: 'DELETE' }, callOptions)),
    retry: async (jobId, callOptions) => ofJob(jobId, 'retry/', { method: 'POST' }, callOptions),
    jobToken: async (jobId, callOptions) => ofJob(jobId, 'token/', { method: 'POST' }, callOptions),
    request: async (request, callOptions) => call(checkPath(request), callOptions),
  };

  /** Where the caller's signal ends the wait, and is to end the job, too, asks for that; nobody waits for the answer. */
  async function cancelling<T>(
    { signal, cancel }: Pick<WaitOptions, 'signal' | 'cancel'>,
    waiting: Promise<T>,
    cancelNow: () => void,
  ): Promise<T> {
    try {
      return await waiting;
    } catch (error) {
      if (cancel && signal?.aborted) cancelNow();
      throw error;
    }
  }

  /** A submit that was broken off may arrive later than this: then "not found" is no answer for a while. */
  function cancelLater(jobId: string, isStored: boolean): void {
    const request = { method: 'POST', path: `${JOBS}${jobId}/cancel/`, jobId, keepalive: true } as const;
    const tryOnce: Try<void> = async (stop, pace) => {
      try {
        await within(ANSWER_MS, stop, jobId, (limited) => send(request, limited, pace));
      } catch (error) {
        if (!isStored && (error as LlmJobsError).status === 404) return { againAfterMs: ARRIVING_MS / 10 };
        throw error;
      }
      return { done: undefined };
    };
    const timedOut = () => new LlmJobsError('no_answer', 'The job could not be cancelled.', { jobId });
    persist(tryOnce, { timeoutMs: isStored ? CALL_MS : ARRIVING_MS, timedOut }).catch(() => {});
  }

  return client;
}
