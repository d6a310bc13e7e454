/** The client's types are those of the schemas that the server checks and answers by, field for field. */
import type { z } from 'zod';
import type { jobList, listParameters } from '../../functions/surfaces/llm-jobs-lists-schemas.ts';
import type {
  errorBody,
  jobToken,
  resultView,
  submitted,
  wholeJobView,
} from '../../functions/surfaces/llm-jobs-schemas.ts';
import type {
  EndedJob,
  Envelope,
  ExtractionInput,
  FieldError,
  GeneralInput,
  GeneralResult,
  JobList,
  JobResult,
  JobStatus,
  JobToken,
  JobView,
  ListFilters,
  LlmConfig,
  ModelInRequest,
  PromptGenerationInput,
  PublishedSubmission,
  ReviewInput,
  Submission,
  SubmittedJob,
  TrainerQuestionInput,
} from '../../shared/client/client.ts';
import type { JobState } from '../../shared/core/job.ts';
import type { promptGenerationInput } from '../../shared/job-types/prompt-generation.ts';
import type { reviewColabInput } from '../../shared/job-types/review-colab.ts';
import type { ExtractionInput as ExtractionSchemaInput } from '../../shared/job-types/structured-extraction.ts';
import type { clocks, extras, publishedSubmissionSchema, questionId } from '../../shared/job-types/submission.ts';
import type { trainerQuestionInput } from '../../shared/job-types/trainer-question-analysis.ts';
import type { llmRequestFields } from '../../shared/llm/request.ts';
import type { LlmCallResponse } from '../../shared/llm/response.ts';
import { type Assignable, holds, type Merged, type Plain, type Same } from './same.ts';

// biome-ignore lint/suspicious/noExplicitAny: so the schema has it
type AnyResult = any;

// What is answered.
holds<Same<JobStatus, JobState>>();
holds<Same<Plain<JobView<AnyResult>>, Plain<z.output<typeof wholeJobView>>>>();
holds<Same<Plain<SubmittedJob>, Plain<z.output<typeof submitted>>>>();
holds<Same<Plain<JobResult<AnyResult>>, Plain<z.output<typeof resultView>>>>();
holds<Same<Plain<JobToken>, Plain<z.output<typeof jobToken>>>>();
holds<Same<FieldError[], NonNullable<z.output<typeof errorBody>['details']>>>();

type Listed = z.output<typeof jobList>;
holds<Same<Plain<Omit<JobList, 'jobs'>>, Plain<Omit<Listed, 'jobs'>>>>();
holds<Same<Plain<Omit<JobView<AnyResult>, 'rejected_text'>>, Plain<Listed['jobs'][number]>>>();

// The end of a job is a view of it.
holds<Assignable<EndedJob, JobView>>();
holds<Same<keyof EndedJob, keyof JobView>>();
holds<Same<EndedJob['status'], Exclude<JobStatus, 'pending' | 'processing'>>>();

// What a list is narrowed to. In a query all is text; pages begin where a cursor says, not by offset.
type Query = Omit<z.input<typeof listParameters>, 'offset' | 'ids'>;
type AsText<T> = { [field in keyof T]: T[field] extends number | undefined ? string : T[field] };
type Filters = Omit<ListFilters, 'job_type'> & { job_type?: string; cursor?: string };
holds<Same<Plain<AsText<Filters>>, Plain<Query>>>();

// What is submitted: around the input. A project may be a number, which zod makes text of and does not say.
type EnvelopeShape = typeof clocks & typeof extras & { question_id: z.ZodOptional<typeof questionId> };
type EnvelopeOutput = z.output<z.ZodObject<EnvelopeShape>>;
holds<Same<Plain<Omit<Envelope, 'project_id'>>, Plain<Omit<EnvelopeOutput, 'project_id'>>>>();
holds<Same<keyof Envelope, keyof EnvelopeOutput>>();
type PublishedFields = keyof z.input<typeof publishedSubmissionSchema>;
holds<Same<keyof PublishedSubmission, PublishedFields>>();
holds<Same<keyof Submission, Exclude<PublishedFields, 'job_id' | 'idempotency_key'>>>();

// The inputs.
holds<Same<Plain<TrainerQuestionInput>, Plain<z.input<typeof trainerQuestionInput>>>>();
holds<Same<Plain<ExtractionInput>, Plain<ExtractionSchemaInput>>>();
holds<Same<Plain<PromptGenerationInput>, Plain<z.input<typeof promptGenerationInput>>>>();

// Those that say which fields go together, which zod checks and does not say: nothing more, nothing less, nothing else.
type Review = z.input<typeof reviewColabInput>;
holds<Same<Plain<Merged<ReviewInput>>, Plain<Review>>>();
holds<Assignable<Plain<ReviewInput>, Plain<Review>>>();

type General = z.input<z.ZodObject<typeof llmRequestFields>>;
holds<Same<Plain<Omit<Merged<GeneralInput>, 'llm'>>, Plain<Omit<General, 'llm'>>>>();
holds<Same<Plain<Merged<LlmConfig>>, Plain<NonNullable<General['llm']>>>>();
holds<Assignable<Plain<GeneralInput>, Plain<General>>>();
holds<Assignable<ModelInRequest, GeneralInput>>();

// What is beside a result.
type Besides = Required<Pick<GeneralResult, 'tool_calls' | 'file_search_results' | 'warnings'>>;
holds<Assignable<Plain<Pick<LlmCallResponse, keyof Besides>>, Plain<Besides>>>();
holds<Same<Plain<Besides['file_search_results']>, Plain<LlmCallResponse['file_search_results']>>>();
holds<Same<keyof Besides['tool_calls'][number], 'signature' | keyof LlmCallResponse['tool_calls'][number]>>();
holds<Same<NonNullable<GeneralResult['finish_reason']>, Exclude<LlmCallResponse['finish_reason'], 'stop'>>>();
