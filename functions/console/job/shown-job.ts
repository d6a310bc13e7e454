/** A job as its page shows it, and what becomes of that with each thing heard. Pure. */
import type { LlmJobsError } from '../../../shared/client/client.ts';
import { type FollowedJob, IDLE, withEvent, withView } from '../../../shared/client/followed-job.ts';
import type { JobEvent } from '../../../shared/client/streaming.ts';
import type { JobView } from '../../../shared/client/views.ts';

/** A stage, and when it was heard of; absent where it had begun before anybody listened. */
export type SeenStage = { stage: string; sinceMs?: number };

export type ShownJob = Readonly<{
  followed: FollowedJob;
  /** In the order in which they came. */
  stages: readonly SeenStage[];
  /** What stands between us and the job. */
  problem: LlmJobsError | undefined;
  isDeleted: boolean;
}>;

/** `view`: an answer about the job, as a cancel has one. */
export type Heard =
  | { event: JobEvent; atMs: number }
  | { view: JobView; atMs: number }
  | { problem: LlmJobsError }
  | { deleted: true };

/** Before anything was heard. */
export function unheard(jobId: string): ShownJob {
  return { followed: { ...IDLE, jobId, isPending: true }, stages: [], problem: undefined, isDeleted: false };
}

/** With what was heard. */
export function withHeard(shown: ShownJob, heard: Heard): ShownJob {
  if ('problem' in heard) return { ...shown, problem: heard.problem };
  if ('deleted' in heard) return { ...shown, isDeleted: true };
  const followed = 'event' in heard ? withEvent(shown.followed, heard.event) : withView(shown.followed, heard.view);
  const { stage, is_complete } = followed.job ?? {};
  const isNew = stage !== undefined && !is_complete && stage !== shown.stages.at(-1)?.stage;
  const since = shown.followed.job && { sinceMs: heard.atMs };
  const stages = isNew ? [...shown.stages, { stage, ...since }] : shown.stages;
  return { ...shown, followed, stages, problem: undefined };
}
