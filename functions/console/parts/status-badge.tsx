/** A job's status, by a word and a shape as well as by a colour. */
import type { JobStatus } from '../../../shared/client/client.ts';
import { STATUS_WORDS } from '../words.ts';

const SHAPES: Readonly<Record<JobStatus, string>> = {
  pending: '○',
  processing: '◐',
  completed: '●',
  failed: '✕',
  cancelled: '–',
};

export function StatusBadge({ status }: { status: JobStatus }) {
  return (
    <span className={`badge ${status}`}>
      <span aria-hidden="true">{SHAPES[status]}</span> {STATUS_WORDS[status]}
    </span>
  );
}
