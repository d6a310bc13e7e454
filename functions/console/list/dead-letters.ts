/** Jobs that failed, by why they did. Pure. */
import type { JobView } from '../../../shared/client/client.ts';
import { type Reason, reasonOf } from '../reasons.ts';

export type Group = Reason & {
  code: string;
  /** Messages that never became jobs: what they were asked is not known. */
  isUnread: boolean;
  /** The newest first. */
  jobs: JobView[];
};

const UNREAD: Reason = {
  title: 'Messages that could not be taken in',
  advice: 'They never became jobs, so they cannot be retried: publish them again, mended.',
};

/** The largest first. */
export function groupsOf(jobs: readonly JobView[]): Group[] {
  const groups = new Map<string, Group>();
  for (const job of jobs) {
    const { error_code: code = '', error_message: title = code, model } = job;
    const isUnread = model.provider === 'unknown';
    const key = isUnread ? '' : code;
    const group = groups.get(key) ?? {
      ...(isUnread ? UNREAD : (reasonOf(code) ?? { title })),
      code,
      isUnread,
      jobs: [],
    };
    group.jobs.push(job);
    groups.set(key, group);
  }
  return [...groups.values()].sort((one, other) => other.jobs.length - one.jobs.length);
}
