/**
 * The life of a job as one pure table: every state × every event. What the table does not allow is a typed refusal.
 * Nothing here knows a store, a clock or a queue: the instant is part of the event, the answer is the fields to change.
 */
import { defer } from './deferring.ts';
import { attach, detach } from './detaching.ts';
import { cancel, endUnheld, erase, finish, reuse } from './endings.ts';
import type { Decision, EventOf, JobEvent, NoticeEvent, NowAndBirth, Refusal } from './events.ts';
import type { Job, JobChanges, JobState } from './job.ts';
import { changeStage, handBack, isLeaseAlive, renewLease, retryUnderLease, takeLease } from './leases.ts';
import { withNotices, withoutOutbox } from './outbox.ts';
import { changeOutbox } from './outbox-tries.ts';
import { park, promote } from './parking.ts';
import { readPayloads, removePayloads } from './payloads.ts';
import { redrive } from './redrivable.ts';
import { isOfNewerVersion } from './schema-version.ts';
import { isOverdue, wake } from './waking.ts';

type LifeEvent = Exclude<JobEvent, NoticeEvent>;
type Rule<T extends LifeEvent['type']> = (job: Job, event: EventOf<T>) => Decision;
type Row = { [T in LifeEvent['type']]: Rule<T> };

const refuse = (refused: Refusal) => (): Decision => ({ refused });

/** Why no attempt may start now; `undefined`: one may. */
function unclaimable(job: Job, event: NowAndBirth): Refusal | undefined {
  if (isLeaseAlive(job, event.nowMs)) return 'leased';
  if (isOverdue(job, event)) return 'overdue';
  return (job.nextAttemptAt ?? 0) > event.nowMs ? 'not-due' : undefined;
}

const claim: Rule<'claim'> = (job, event) => {
  const refused = unclaimable(job, event);
  return refused ? { refused } : takeLease(job, event);
};

/** What happens where a claim may be made, and is not. */
const insteadOfClaim =
  <T extends 'deny' | 'defer' | 'reuse'>(changes: (job: Job, event: EventOf<T>) => JobChanges): Rule<T> =>
  (job, event) => {
    const refused = unclaimable(job, event);
    return refused ? { refused } : { changes: changes(job, event) };
  };
const deny = insteadOfClaim<'deny'>((job, { nowMs, error, leads }) => ({
  ...endUnheld(job, nowMs, 'failed', error),
  ...(leads === undefined ? {} : { leads }),
}));

const over: Row = {
  claim: refuse('done'),
  deny: refuse('done'),
  defer: refuse('done'),
  reuse: refuse('done'),
  park: refuse('done'),
  promote: refuse('done'),
  renew: refuse('done'),
  stage: refuse('done'),
  retry: refuse('done'),
  'hand-back': refuse('done'),
  attach: refuse('done'),
  detach: refuse('done'),
  finish: refuse('done'),
  cancel: refuse('done'),
  delete: erase,
  redrive: refuse('done'),
  read: readPayloads,
  wake: removePayloads,
};

const table: { [S in JobState]: Row } = {
  pending: {
    claim,
    deny,
    defer: insteadOfClaim(defer),
    reuse: insteadOfClaim(reuse),
    park,
    promote,
    renew: refuse('not-leased'),
    stage: refuse('not-leased'),
    retry: refuse('not-leased'),
    'hand-back': refuse('not-leased'),
    attach: refuse('not-leased'),
    detach: refuse('not-leased'),
    finish: refuse('not-leased'),
    cancel,
    delete: erase,
    redrive: refuse('not-due'),
    read: refuse('not-due'),
    wake,
  },
  processing: {
    claim,
    deny,
    defer: insteadOfClaim(defer),
    reuse: insteadOfClaim(reuse),
    park,
    promote,
    renew: (job, event) => renewLease(job, event),
    stage: changeStage,
    retry: retryUnderLease,
    'hand-back': handBack,
    attach,
    detach,
    // An unrenewed lease that nobody took may still finish: the answer is paid for.
    finish: (job, event) => (job.token === event.token ? finish(job, event) : { refused: 'lease-lost' }),
    cancel,
    delete: erase,
    redrive: refuse('not-due'),
    read: refuse('not-due'),
    wake,
  },
  completed: over,
  failed: { ...over, redrive },
  cancelled: { ...over, redrive },
};

/** Decides what an event does to a job: the fields to change, or why it may not happen. */
export function transition(job: Job, event: JobEvent): Decision {
  if (isOfNewerVersion(job)) return { refused: 'newer-version' };
  if (isOfOutbox(event)) return changeOutbox(job, event);
  const rule = table[job.state][event.type] as Rule<LifeEvent['type']>;
  return withNotices(job, event, rule(withoutOutbox(job), event));
}

function isOfOutbox(event: JobEvent): event is NoticeEvent {
  return event.type === 'take-notices' || event.type === 'told' || event.type === 'tell-again';
}
