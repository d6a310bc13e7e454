/**
 * One job in a React component:
 *
 *     const { submit, text, result, error, isPending } = useLlmJob();
 *     <button onClick={() => submit({ job_type, model_id, input_data })} disabled={isPending}>
 *
 * It is found again after a reload, and by a component that comes back; a component that leaves stops asking at once.
 */
import { useState, useSyncExternalStore } from 'react';
import { createClient, type JobsClient } from './client.ts';
import { type FollowedJob, IDLE } from './followed-job.ts';
import { type FollowerOptions, type JobFollower, jobFollower } from './follower.ts';

export type { FollowedJob } from './followed-job.ts';
export type { JobStorage } from './kept-job.ts';

/** All but `key` are looked at once, with the first render. */
export type LlmJobOptions = Partial<Pick<FollowerOptions, 'key' | 'storage' | 'timeoutMs' | 'visibility'>> & {
  /** From `createClient`; by default one for the page's own origin. */
  client?: JobsClient;
};

/** The functions stay the same from render to render. */
export type LlmJob<Result = unknown> = FollowedJob<Result> &
  Pick<JobFollower<Result>, 'submit' | 'cancel' | 'resume' | 'reset'>;

let client: JobsClient | undefined;
/** Not before something is sent: a server that renders the page has no origin. */
function clientOfPage(): JobsClient {
  client ??= createClient();
  return client;
}

/** One job. `key` says which, where several components have one each: `llm-job` is kept in this tab's `sessionStorage`. */
export function useLlmJob<Result = unknown>({ key = 'llm-job', ...options }: LlmJobOptions = {}): LlmJob<Result> {
  const follow = () => {
    const { client, ...rest } = options;
    return { key, follower: jobFollower<Result>({ ...rest, key, client: client ? () => client : clientOfPage }) };
  };
  const [kept, keep] = useState(follow);
  // Another key is another job, though the component is the same.
  if (kept.key !== key) keep(follow());
  const { subscribe, getSnapshot, submit, cancel, resume, reset } = kept.follower;
  const followed = useSyncExternalStore(subscribe, getSnapshot, () => IDLE);
  return { ...followed, submit, cancel, resume, reset };
}
