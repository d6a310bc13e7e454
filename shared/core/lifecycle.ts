/**
 * The life of a job as one pure table: every state × every event. What the table does not allow is a typed refusal.
 * Nothing here knows a store, a clock or a queue: the instant is part of the event, the answer is the fields to change.
 */
import { cancel, deny, erase, finish } from './endings.ts';
import type { Decision, EventOf, JobEvent, Refusal } from './events.ts';
import type { Job, JobState } from './job.ts';
import { changeStage, handBack, isLeaseAlive, renewLease, retryUnderLease, takeLease } from './leases.ts';
import { park, promote } from './parking.ts';
import { readPayloads, removePayloads } from './payloads.ts';
import { isOverdue, wake } from './waking.ts';

type Rule<T extends JobEvent['type']> = (job: Job, event: EventOf<T>) => Decision;
type Row = { [T in JobEvent['type']]: Rule<T> };

const refuse = (refused: Refusal) => (): Decision => ({ refused });

/** One whose time is over ends for that reason. */
const denyInTime: Rule<'deny'> = (job, event) => (isOverdue(job, event) ? { refused: 'overdue' } : deny(job, event));

const over: Row = {
  claim: refuse('done'),
  deny: refuse('done'),
  park: refuse('done'),
  promote: refuse('done'),
  renew: refuse('done'),
  stage: refuse('done'),
  retry: refuse('done'),
  'hand-back': refuse('done'),
  finish: refuse('done'),
  cancel: refuse('done'),
  delete: erase,
  read: readPayloads,
  wake: removePayloads,
};

const table: { [S in JobState]: Row } = {
  pending: {
    claim: (job, event) => (isOverdue(job, event) ? { refused: 'overdue' } : takeLease(job, event)),
    deny: denyInTime,
    park,
    promote,
    renew: refuse('not-leased'),
    stage: refuse('not-leased'),
    retry: refuse('not-leased'),
    'hand-back': refuse('not-leased'),
    finish: refuse('not-leased'),
    cancel,
    delete: erase,
    read: refuse('not-due'),
    wake,
  },
  processing: {
    claim(job, event) {
      if (isLeaseAlive(job, event.nowMs)) return { refused: 'leased' };
      if (isOverdue(job, event)) return { refused: 'overdue' };
      return (job.nextAttemptAt ?? 0) > event.nowMs ? { refused: 'not-due' } : takeLease(job, event);
    },
    deny: denyInTime,
    park,
    promote,
    renew: (job, event) => renewLease(job, event),
    stage: changeStage,
    retry: retryUnderLease,
    'hand-back': handBack,
    // An unrenewed lease that nobody took may still finish: the answer is paid for.
    finish: (job, event) => (job.token === event.token ? finish(job, event) : { refused: 'lease-lost' }),
    cancel,
    delete: erase,
    read: refuse('not-due'),
    wake,
  },
  completed: over,
  failed: over,
  cancelled: over,
};

/** Decides what an event does to a job: the fields to change, or why it may not happen. */
export function transition(job: Job, event: JobEvent): Decision {
  const row: Row | undefined = table[job.state];
  const rule = row?.[event.type] as Rule<JobEvent['type']> | undefined;
  return rule ? rule(job, event) : { refused: 'unknown-state' };
}
