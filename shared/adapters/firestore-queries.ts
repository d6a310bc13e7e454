/** The queries of the job store as `StructuredQuery`s. Each needs a composite index that starts with tenant or wakeShard. */
import type { Job } from '../core/job.ts';
import type { JobQuery } from '../core/ports.ts';
import { toFields, type Value } from './firestore-document.ts';

/** Every field of a job; not the input, which may be large and is read by workers alone. */
export const JOB_FIELDS = Object.keys({
  ...{
    tenant: 1,
    id: 1,
    user: 1,
    jobType: 1,
    model: 1,
    state: 1,
    version: 1,
    createdAt: 1,
    startedAt: 1,
    completedAt: 1,
  },
  ...{
    questionId: 1,
    fingerprint: 1,
    requestId: 1,
    stage: 1,
    nextAttemptAt: 1,
    cancelRequestedAt: 1,
    limits: 1,
    result: 1,
    error: 1,
    attempts: 1,
    attempt: 1,
    token: 1,
    sequence: 1,
  },
  ...{ failures: 1, refusals: 1, losses: 1, holder: 1, cancelFor: 1 },
  ...{ leaseExpiresAt: 1, wakeAt: 1, wakeShard: 1, rings: 1, schemaVersion: 1 },
} satisfies Record<keyof Job, 1>);
const SELECT_JOB = { fields: JOB_FIELDS.map((fieldPath) => ({ fieldPath })) };
const FROM_JOBS = [{ collectionId: 'jobs' }];

/** A page of jobs, newest first. */
export function listQuery({ tenant, user, state, jobType, limit, offset }: JobQuery) {
  const equal = (name: string, value: string | undefined) =>
    value === undefined ? [] : [compare(name, 'EQUAL', { stringValue: value })];
  return {
    select: SELECT_JOB,
    from: FROM_JOBS,
    where: all([
      ...equal('tenant', tenant),
      ...equal('user', user),
      ...equal('state', state),
      ...equal('jobType', jobType),
    ]),
    orderBy: [descending('createdAt'), descending('__name__')],
    limit: { value: limit },
    offset,
  };
}

/** The jobs whose time has come, the longest due first. */
export function dueQuery(nowMs: number, limit: number, wakeShards: number) {
  const shards = Array.from({ length: wakeShards }, (_, shard): Value => ({ integerValue: shard }));
  const now = toFields({ nowAt: nowMs }).nowAt as Value;
  return {
    select: SELECT_JOB,
    from: FROM_JOBS,
    where: all([
      compare('wakeShard', 'IN', { arrayValue: { values: shards } }),
      compare('wakeAt', 'LESS_THAN_OR_EQUAL', now),
    ]),
    orderBy: [{ field: { fieldPath: 'wakeAt' }, direction: 'ASCENDING' }],
    limit: { value: limit },
  };
}

function compare(fieldPath: string, op: string, value: Value) {
  return { fieldFilter: { field: { fieldPath }, op, value } };
}

function all(filters: unknown[]) {
  return { compositeFilter: { op: 'AND', filters } };
}

function descending(fieldPath: string) {
  return { field: { fieldPath }, direction: 'DESCENDING' };
}
