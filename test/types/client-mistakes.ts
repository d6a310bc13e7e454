/** Mistakes that do not compile, each beside what does. Nothing here runs. */
import type { PubSub } from '@google-cloud/pubsub';
import type {
  EndedJob,
  JobsClient,
  JobView,
  ListFilters,
  PublishedSubmission,
  ResultOf,
  Submission,
} from '../../shared/client/client.ts';
import { type Published, publishJob } from '../../shared/client/publisher.ts';
import { holds, type Same } from './same.ts';

declare const jobs: JobsClient;
declare const view: JobView;
declare const ended: EndedJob<ResultOf<'prompt_generation'>>;

const hello = { model_id: 'gpt-4o-mini', input_data: { prompt: 'Say hello.' } };
const model = { model_id: 'gpt-4o-mini' };

export const right: Submission[] = [
  { job_type: 'general_llm_request', ...hello },
  { job_type: 'general_llm_request', ...hello, tags: ['a'], metadata: { a: 'b' }, max_cost: 0.5, project_id: 7 },
  { job_type: 'general_llm_request', ...model, input_data: { full_input: 'Hello.', system_message: 'Be brief.' } },
  { job_type: 'general_llm_request', ...model, input_data: { messages: [{ role: 'user', content: 'Hello.' }] } },
  { job_type: 'general_llm_request', ...model, input_data: { llm: { prompt: 'Hello.' } } },
  { job_type: 'general_llm_request', input_data: { llm: { prompt: 'Hello.', llm_model_spec: { model: 'gpt-4o' } } } },
  { job_type: 'trainer_question_analysis', ...model, input_data: { full_input: 'Why?' } },
  {
    job_type: 'review_colab',
    ...model,
    input_data: { notebook: { nbformat: 4, cells: [] }, instructions: 'Be kind.' },
  },
  { job_type: 'review_colab', ...model, input_data: { full_input: 'cell 1', system_message: 'Review.' } },
  { job_type: 'structured_extraction', ...model, input_data: { text: 'I loved it.', extended: true } },
  { job_type: 'prompt_generation', ...model, input_data: { manual_prompt: 'You are kind.' } },
];

export const wrong: Submission[] = [
  // @ts-expect-error: a job type that there is not
  { job_type: 'general_llm_requests', ...hello },
  // @ts-expect-error: no job type
  { ...hello },
  // @ts-expect-error: no model
  { job_type: 'general_llm_request', input_data: { prompt: 'Hello.' } },
  // @ts-expect-error: no model either
  { job_type: 'general_llm_request', input_data: { llm: { prompt: 'Hello.' } } },
  // @ts-expect-error: no input
  { job_type: 'general_llm_request', ...model },
  // @ts-expect-error: no question
  { job_type: 'general_llm_request', ...model, input_data: {} },
  // @ts-expect-error: two questions
  { job_type: 'general_llm_request', ...model, input_data: { prompt: 'Hello.', full_input: 'Hello.' } },
  // @ts-expect-error: a question beside llm
  { job_type: 'general_llm_request', ...model, input_data: { prompt: 'Hello.', llm: { prompt: 'Hello.' } } },
  // @ts-expect-error: system_message goes with full_input
  { job_type: 'general_llm_request', ...model, input_data: { prompt: 'Hello.', system_message: 'Be brief.' } },
  // @ts-expect-error: a role that there is not
  { job_type: 'general_llm_request', ...model, input_data: { messages: [{ role: 'bot', content: 'Hello.' }] } },
  // @ts-expect-error: a field that there is not
  { job_type: 'general_llm_request', ...hello, temprature: 1 },
  // @ts-expect-error: a field that there is not, of the input
  { job_type: 'general_llm_request', ...model, input_data: { prompt: 'Hello.', temprature: 1 } },
  // @ts-expect-error: text for a number
  { job_type: 'general_llm_request', ...hello, timeout: '60' },
  // @ts-expect-error: an event that there is not
  { job_type: 'general_llm_request', ...hello, webhook: { url: 'https://example.com/', events: ['job.done'] } },
  // @ts-expect-error: the input of another type
  { job_type: 'prompt_generation', ...hello },
  // @ts-expect-error: neither a notebook nor text
  { job_type: 'review_colab', ...model, input_data: { instructions: 'Be kind.' } },
  // @ts-expect-error: an id in the body is for messages
  { job_type: 'general_llm_request', ...hello, job_id: '0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11' },
];

// @ts-expect-error: misspelt, it is `completed`
export const isOver = view.status === 'complete' || ended.status === 'completed';
// @ts-expect-error: misspelt, it is `cancelled`
export const isCancelled = ended.status === 'canceled';
// @ts-expect-error: a job that is over is not pending
export const isPending = ended.status === 'pending';
// @ts-expect-error: one does not wait for a status that there is not
export const filters: ListFilters = { status: 'done' };
// @ts-expect-error: nor lists a type that there is not
export const types: ListFilters = { job_type: 'general' };

if (ended.status === 'completed') holds<Same<typeof ended.result_data, ResultOf<'prompt_generation'> | undefined>>();
if (ended.status === 'failed') holds<Same<typeof ended.error_code, string>>();
// @ts-expect-error: a job that failed has no result
if (ended.status === 'failed') ended.result_data.result;
// @ts-expect-error: it may have failed
export const text: string = ended.result_data.result;

export async function mistakes(signal: AbortSignal): Promise<void> {
  await jobs.submitAndWait({ job_type: 'general_llm_request', ...hello }, { signal, cancel: true, timeoutMs: 1_000 });
  // @ts-expect-error: seconds are not asked for
  await jobs.wait('0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11', { timeout: 60 });
  // @ts-expect-error: a controller is no signal
  await jobs.wait('0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11', { signal: new AbortController() });
  // @ts-expect-error: a result of a type that there is not
  await jobs.wait<ResultOf<'prompt'>>('0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11');
  // @ts-expect-error: a job is not what was submitted
  await jobs.wait({ job_type: 'general_llm_request', ...hello });
  for await (const job of jobs.list({ status: 'failed', limit: 5 })) job.status satisfies string;
  // @ts-expect-error: a number
  jobs.list({ limit: '5' });
}

export async function misprints(pubsub: PubSub): Promise<void> {
  const topic = pubsub.topic('llm-jobs-submissions');
  const job = { job_type: 'general_llm_request', ...hello } as const;
  const job_id = '0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11';
  holds<Same<Awaited<ReturnType<typeof published>>, Published>>();
  holds<Same<Awaited<ReturnType<typeof keyed>>, Published<undefined>>>();
  const published = () => publishJob(topic, { ...job, job_id });
  const keyed = () => publishJob(topic, { ...job, idempotency_key: 'report-17' });
  const either = (any: PublishedSubmission) => publishJob(topic, any);
  holds<Same<Awaited<ReturnType<typeof either>>, Published<string | undefined>>>();
  // @ts-expect-error: either an id or a key
  await publishJob(topic, { ...job, job_id, idempotency_key: 'report-17' });
  // @ts-expect-error: a job type that there is not
  await publishJob(topic, { ...hello, job_type: 'general' });
  // @ts-expect-error: a field that there is not
  await publishJob(topic, { ...job, temprature: 1 });
  // @ts-expect-error: a subscription is no topic
  await publishJob(pubsub.subscription('llm-jobs'), job);
}
