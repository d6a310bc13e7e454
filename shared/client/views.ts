/** What the API answers, field for field as its description has it (`/openapi.json`). */
import type { JobType } from './submissions.ts';

export type JobStatus = 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled';

export type Usage = {
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
  cached_input_tokens?: number;
  reasoning_tokens?: number;
};

type Cost = {
  /** US dollars; `null`: nobody knows its price. Absent: not known yet. */
  cost?: number | null;
  /** At least in part by estimate: a provider did not say what was used. */
  cost_estimated?: true;
};

export type Attempt = Cost & {
  n: number;
  started_at: string;
  ended_at?: string;
  provider: string;
  model: string;
  outcome?: 'completed' | 'failed' | 'cancelled' | 'released' | 'lost';
  error_code?: string;
  provider_request_id?: string;
  finish_reason?: string;
  calls: number;
  usage?: Usage;
};

export type ModelReference = { id: string; name: string; provider: string };

/** Paths, from the API's root. */
export type JobUrls = {
  status: string;
  result: string;
  stream: string;
  cancel: string;
  /** Of a job that can be retried: it failed or was cancelled. */
  retry?: string;
  /** Of a job with a `webhook`: what that was told. */
  deliveries?: string;
};

/** What the submitter said of the job. */
type Own = {
  tags?: string[];
  metadata?: Record<string, string>;
  batch_id?: string;
  project_id?: string;
  max_cost?: number;
  stream?: boolean;
  store?: false;
  fallbacks?: ModelReference[];
  /** Its experiment, and its variant there. */
  arm?: string;
  cache_ttl_seconds?: number;
  background?: true;
  /** The job that it was made from. */
  retry_of?: string;
  /** The job that was made from it. */
  retried_as?: string;
};

/** A job as it is at one instant. Times are RFC 3339, clocks are seconds. */
export type JobView<Result = unknown> = Own &
  Cost & {
    success: true;
    job_id: string;
    job_type: string;
    status: JobStatus;
    /** Is it over? Better than a list of the words for it. */
    is_complete: boolean;
    created_at: string;
    started_at?: string;
    completed_at?: string;
    /** Seconds from the first start to the end. */
    processing_time?: number;
    result_data?: Result;
    /** Of a large result (over 256 KiB): its size as JSON. In lists `result_data` is absent then. */
    result_bytes?: number;
    error_message?: string;
    error_code?: string;
    model: ModelReference;
    question_id?: string;
    /** 0 to 100, never backwards. */
    progress: number;
    stage?: string;
    message: string;
    /** While the job waits between two attempts: when the next one may start. */
    next_attempt_at?: string;
    cancel_requested_at?: string;
    /** Of a job that is over: whether a provider may have charged for it. `final`: `usage` is all of it. */
    billing?: 'none' | 'possible' | 'final';
    start_within: number;
    timeout: number;
    attempt_timeout: number;
    idle_timeout: number;
    ttl_seconds: number;
    /** Of a job with `store: false`: since when its input and result are gone. */
    payloads_removed_at?: string;
    /** Of a job that is over: from then on it is not found. */
    expires_at?: string;
    /** Of a job that is not over: how long to wait before asking again. */
    poll_after_ms?: number;
    version: number;
    /** The job has the answer to an equal one: no call was made. */
    cached?: true;
    answer_created_at?: string;
    attempts: Attempt[];
    /** Of all attempts together. */
    usage?: Usage;
    urls: JobUrls;
    /** Of a job that failed because its answer could not be used: that answer. */
    rejected_text?: string;
  };

/** A job that is over. Only a completed one has a result, unless that was removed (`store: false`). */
export type EndedJob<Result = unknown> =
  | (Omit<JobView<Result>, 'status'> & { status: 'completed' })
  | (Omit<JobView<Result>, 'status' | 'result_data'> & {
      status: 'failed';
      error_code: string;
      error_message: string;
      result_data?: never;
    })
  | (Omit<JobView<Result>, 'status' | 'result_data'> & { status: 'cancelled'; result_data?: never });

/** What a submit answers. */
export type SubmittedJob = Own & {
  success: true;
  job_id: string;
  status: JobStatus;
  message: string;
  job_type: string;
  created_at: string;
  model: ModelReference;
  poll_after_ms?: number;
  urls: JobUrls;
  /** Reads and cancels this one job: for a browser that has no credentials of its own. */
  job_token?: string;
  job_token_expires_at?: string;
};

export type JobResult<Result = unknown> = Omit<Own, 'retry_of' | 'retried_as'> & {
  success: true;
  job_id: string;
  job_type: string;
  status: JobStatus;
  result_data: Result;
  processing_time?: number;
  model: ModelReference;
  question_id?: string;
};

export type JobToken = { success: true; job_id: string; job_token: string; job_token_expires_at: string };

/** What a list is narrowed to. Times are RFC 3339. */
export type ListFilters = {
  status?: JobStatus;
  job_type?: JobType;
  model?: string;
  tag?: string;
  created_after?: string;
  created_before?: string;
  question_id?: string;
  project_id?: string;
  arm?: string;
  batch_id?: string;
  /** How many jobs a page has (20, at most 100). */
  limit?: number;
};

export type JobList = {
  success: true;
  jobs: JobView[];
  limit?: number;
  offset?: number;
  /** Where the next page begins; absent on the last one. */
  next_cursor?: string;
  not_found?: string[];
  poll_after_ms?: number;
};
