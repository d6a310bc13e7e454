/** What a job type is to the core: the port that `shared/job-types/` fills. */
import type { FieldError } from './errors.ts';
import type { JobError, JobModel, Json, Limits } from './job.ts';
import type { Answer, LlmRequest } from './llm.ts';
import type { RetryPolicy } from './retry.ts';

/** What became of an answer: a result, or a sentence that says why it is none (`result.age: must be a number`). */
export type Checked = { result: Json } | { violation: string };

/** The stages of a job, in order. */
export type JobStages = {
  /** Of the first attempt, written one after another, the first one by the claim. Later attempts begin with the last one. */
  begin: readonly [string, ...string[]];
  /** The provider took the request. */
  accepted?: string;
  /** The whole answer is here, and is looked at. */
  answered?: string;
};

/** What a job of one type does, as far as the core must know. */
export type JobType = {
  /** `general_llm_request`. */
  name: string;
  /** The model that the input itself names, and at which path: a submission may leave it out then. */
  modelOf?(input: Json): { reference: string; path: string } | undefined;
  /** Reads an input that was laid together, as one is read at the door; absent: it is taken as it is. */
  read?(input: Json): { input: Json } | { wrong: FieldError[] };
  /** What is wrong with this input on this model, paths from the input's root; decided before a job is taken in. */
  check?(input: Json, model: JobModel): Promise<FieldError[]>;
  /** Turns input that was validated at submit into a provider's request. Pure. */
  toRequest(input: Json, model: JobModel): LlmRequest;
  /** Turns the finished answer into what is stored as the job's result, or refuses it. */
  toResult(answer: Answer, input: Json): Checked | Promise<Checked>;
  /** The result as programs find it that look in the cache (`result:{job_id}`); absent: the result as JSON. */
  cached?(result: Json): string;
  /** How often a refused answer is sent back to the model to be mended; absent: never. */
  repairsMost?(input: Json): number;
  /**
   * The result of a job whose call failed for good; `undefined`: the job fails. Absent: it always does. A job that was
   * cancelled, or whose worker was lost, is not asked for.
   */
  fallback?(input: Json, error: JobError): Json | undefined;
  /** What readers are shown while it is processing, each a write of its own; absent: `calling_llm`. */
  stages?: JobStages;
  /**
   * What such a job reserves of its user's tokens, and what for, as people read it; absent: what its call is expected to
   * use, for `this job`.
   */
  credits?: { tokens: number; purpose: string };
  /** How old an answer to an equal job may be that will do; absent: none will, unless a submission says so. */
  cacheMs?: number;
  /** Where a submission names no others. */
  limits: Limits;
  retry: RetryPolicy;
  /** How long readers see a job after its end, unless it says otherwise. */
  retentionMs: number;
};
