/** Mistakes with the React hook that do not compile, each beside what does. Nothing here runs. */
import type { ResultOf } from '../../shared/client/client.ts';
import { useLlmJob } from '../../shared/client/react.ts';
import { holds, type Same } from './same.ts';

export function Component(): string {
  const job = useLlmJob<ResultOf<'prompt_generation'>>({ key: 'prompt', timeoutMs: 60_000 });
  holds<Same<typeof job.result, ResultOf<'prompt_generation'> | undefined>>();
  const model = { model_id: 'gpt-4o-mini' };
  const jobId: string = job.submit({
    job_type: 'prompt_generation',
    ...model,
    input_data: { manual_prompt: 'Be kind.' },
  });
  // @ts-expect-error: a job type that there is not
  job.submit({ job_type: 'prompt_generations', ...model, input_data: { manual_prompt: 'Be kind.' } });
  // @ts-expect-error: the input of another type
  job.submit({ job_type: 'prompt_generation', ...model, input_data: { prompt: 'Be kind.' } });
  // @ts-expect-error: misspelt, it is `cancelled`
  const isCancelled = job.status === 'canceled';
  // @ts-expect-error: there may be none yet
  const text: string = job.result.result;
  // @ts-expect-error: what is shown is not changed
  job.status = 'idle';
  // @ts-expect-error: a client is made by `createClient`
  useLlmJob({ client: { baseUrl: 'https://jobs.example.com' } });
  return `${jobId}${isCancelled}${text}`;
}
