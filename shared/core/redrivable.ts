/** Which jobs can be made anew, and what that changes of them. Pure. */
import type { Decision, EventOf } from './events.ts';
import type { Job } from './job.ts';
import { UNKNOWN_PROVIDER } from './new-job.ts';

/** Is there still everything that a job was asked? There never was in a message that could not be taken in. */
function hasInput({ model, payloadsRemovedAt, deletedAt }: Job): boolean {
  return model.provider !== UNKNOWN_PROVIDER && payloadsRemovedAt === undefined && deletedAt === undefined;
}

/** Can a new job be made of this one? */
export function isRedrivable(job: Job): boolean {
  return (job.state === 'failed' || job.state === 'cancelled') && job.redrivenAs === undefined && hasInput(job);
}

/** The one change of a job that is over which tells what became of it: once. */
export function redrive(job: Job, { redrivenAs }: EventOf<'redrive'>): Decision {
  return isRedrivable(job) ? { changes: { version: job.version + 1, redrivenAs } } : { refused: 'done' };
}
