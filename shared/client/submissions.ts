/** What is submitted, by job type. The server says what values may be; `/openapi.json` has it all. */
import type { GeneralInput, ModelInRequest } from './general-input.ts';

export type JobType =
  | 'general_llm_request'
  | 'trainer_question_analysis'
  | 'review_colab'
  | 'structured_extraction'
  | 'prompt_generation';

/** One of 2 to 10 ways to do a job. */
export type Variant = {
  name: string;
  /** How many of a hundred jobs get it; all weights add up to 100. */
  weight: number;
  /** In place of the job's own. */
  model_id?: string;
  /** Fields in place of those of the job's `input_data`, or beside them. */
  input_data?: Record<string, unknown>;
};

export type Experiment = {
  /** What its figures are found under, as `name/variant`. */
  name: string;
  /** Jobs of one subject, such as a user, get the same variant. */
  subject?: string;
  variants: Variant[];
};

export type Webhook = {
  url: string;
  /** The three ends of a job when absent. */
  events?: ('job.started' | 'job.completed' | 'job.failed' | 'job.cancelled')[];
  /** The event of the end has the job in it. */
  include?: 'job';
};

/** What any submission may say of itself. Clocks are seconds. */
export type Envelope = {
  /** Your own id of the question that the job belongs to. */
  question_id?: string;
  /** Your own project that the job belongs to. */
  project_id?: string | number;
  /** Up to 10 words of your own; jobs can be listed by one. */
  tags?: string[];
  /** Up to 16 pairs of your own, shown in every view. */
  metadata?: Record<string, string>;
  /** Until a worker must have taken the job. */
  start_within?: number;
  /** Until the job must be over, waits included. */
  timeout?: number;
  /** That one attempt may take. */
  attempt_timeout?: number;
  /** That the model may be silent. */
  idle_timeout?: number;
  /** How long the job can be read after its end; 30 days when absent. */
  ttl_seconds?: number;
  /** Keep the answer as it comes, so that it can be streamed while it is made. */
  stream?: boolean;
  /** `false`: input and result are removed a minute after the result was read, or an hour after the end. */
  store?: boolean;
  /** US dollars that all calls of the job together may cost. */
  max_cost?: number;
  /** Up to 5 other models that may answer, in order. */
  fallbacks?: string[];
  experiment?: Experiment;
  /** An answer to an equal job that is not older will do. */
  cache_ttl_seconds?: number;
  /** Let the provider work on it by itself: for answers that take longer than a call may. */
  background?: boolean;
  webhook?: Webhook;
};

/** A model's UUID, the provider's name for it, or its name as shown to people. */
type Model = { model_id: string };

export type TrainerQuestionInput = { full_input: string; system_message?: string };

/** Either a notebook (nbformat 4; an object, or its JSON as text), or the whole input as text. */
export type ReviewInput =
  | {
      notebook: string | Record<string, unknown>;
      instructions?: string;
      full_input?: never;
      system_message?: never;
    }
  | { full_input: string; system_message?: string; notebook?: never; instructions?: never };

export type ExtractionInput = {
  text: string;
  /** Also `language` and `toxicity_score`. */
  extended?: boolean;
};

export type PromptGenerationInput = { manual_prompt: string };

export type GeneralSubmission = Envelope & { job_type: 'general_llm_request' } & (
    | (Partial<Model> & { input_data: ModelInRequest })
    | (Model & { input_data: GeneralInput })
  );
export type TrainerQuestionSubmission = Envelope &
  Model & { job_type: 'trainer_question_analysis'; input_data: TrainerQuestionInput };
export type ReviewSubmission = Envelope & Model & { job_type: 'review_colab'; input_data: ReviewInput };
export type ExtractionSubmission = Envelope &
  Model & { job_type: 'structured_extraction'; input_data: ExtractionInput };
export type PromptGenerationSubmission = Envelope &
  Model & { job_type: 'prompt_generation'; input_data: PromptGenerationInput };

/** A job as it is submitted. */
export type Submission =
  | GeneralSubmission
  | TrainerQuestionSubmission
  | ReviewSubmission
  | ExtractionSubmission
  | PromptGenerationSubmission;

/** A job as a service publishes it: publishing it again with the same id, or the same key, makes no second job. */
export type PublishedSubmission = Submission &
  ({ job_id?: string; idempotency_key?: never } | { idempotency_key: string; job_id?: never });
