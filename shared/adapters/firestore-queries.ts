/** The queries of the job store as `StructuredQuery`s. Each needs a composite index that starts with tenant or wakeShard. */
import { isTerminal, type Job, type JobState, jobName } from '../core/job.ts';
import { type BatchQuery, type JobQuery, USAGE_JOBS_MOST, type UsageQuery } from '../core/ports.ts';
import { toFields, type Value } from './firestore-document.ts';

/** Every field of a job; not the input, which may be large and is read by few. */
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
    projectId: 1,
    fallbacks: 1,
    route: 1,
    tries: 1,
    arm: 1,
    cacheMs: 1,
    leads: 1,
    answerOf: 1,
    background: 1,
    upstream: 1,
    nanoUsdMost: 1,
    redriveOf: 1,
    redrivenAs: 1,
    callEstimate: 1,
    spent: 1,
    parts: 1,
    rejectedText: 1,
    repairs: 1,
    fingerprint: 1,
    requestId: 1,
    traceparent: 1,
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
  ...{ tags: 1, metadata: 1, batchId: 1, stream: 1, usualMs: 1 },
  ...{ retentionMs: 1, expiresAt: 1, deleteAt: 1, deletedAt: 1 },
  ...{ slotUntil: 1, parkedAt: 1, parkedFor: 1 },
  ...{ store: 1, payloadsExpireAt: 1, payloadsRemovedAt: 1 },
  ...{ hold: 1, settled: 1, webhook: 1, announced: 1, outbox: 1, deliveries: 1 },
  ...{ failures: 1, refusals: 1, losses: 1, holder: 1, cancelFor: 1 },
  ...{ leaseExpiresAt: 1, wakeAt: 1, wakeShard: 1, rings: 1, schemaVersion: 1 },
} satisfies Record<keyof Job, 1>);
const SELECT_JOB = { fields: JOB_FIELDS.map((fieldPath) => ({ fieldPath })) };
const FROM_JOBS = [{ collectionId: 'jobs' }];

/** A page of jobs, newest first. `root` is what the names of documents begin with. */
export function listQuery(query: JobQuery, root: string) {
  const { tenant, after, createdAfter, createdBefore, limit, offset } = query;
  const since = createdAfter === undefined ? [] : [compare('createdAt', 'GREATER_THAN', instant(createdAfter))];
  const until = createdBefore === undefined ? [] : [compare('createdAt', 'LESS_THAN', instant(createdBefore))];
  return {
    select: SELECT_JOB,
    from: FROM_JOBS,
    where: all([
      equal('tenant', tenant),
      ...equalIfGiven('user', query.user),
      ...equalIfGiven('state', query.state),
      ...equalIfGiven('jobType', query.jobType),
      ...equalIfGiven('model.id', query.modelId),
      ...equalIfGiven('questionId', query.questionId),
      ...equalIfGiven('projectId', query.projectId),
      ...equalIfGiven('batchId', query.batchId),
      ...equalIfGiven('arm', query.arm),
      ...(query.tag === undefined ? [] : [compare('tags', 'ARRAY_CONTAINS', { stringValue: query.tag })]),
      ...since,
      ...until,
    ]),
    orderBy: [descending('createdAt'), descending('__name__')],
    ...(after
      ? {
          startAt: {
            values: [instant(after.createdAt), { referenceValue: `${root}/jobs/${jobName({ tenant, id: after.id })}` }],
            before: false,
          },
        }
      : {}),
    limit: { value: limit },
    offset,
  };
}

/** The jobs of a batch in one state; of those that are over, the ones that have not expired. */
export function countQuery({ tenant, user, batchId }: BatchQuery, state: JobState, nowMs: number) {
  const kept = isTerminal(state) ? [compare('expiresAt', 'GREATER_THAN', instant(nowMs))] : [];
  const owned = [equal('tenant', tenant), ...equalIfGiven('user', user)];
  return { from: FROM_JOBS, where: all([...owned, equal('batchId', batchId), equal('state', state), ...kept]) };
}

/** The jobs whose usage is summed up, the newest first, in the order of the lists' indexes; so many at most. */
export function usageQuery({ tenant, user, createdFrom, createdTo, jobType, modelId, arm }: UsageQuery) {
  return {
    from: FROM_JOBS,
    where: all([
      equal('tenant', tenant),
      ...equalIfGiven('user', user),
      ...equalIfGiven('jobType', jobType),
      ...equalIfGiven('model.id', modelId),
      ...equalIfGiven('arm', arm),
      compare('createdAt', 'GREATER_THAN_OR_EQUAL', instant(createdFrom)),
      compare('createdAt', 'LESS_THAN', instant(createdTo)),
    ]),
    orderBy: [descending('createdAt')],
    limit: { value: USAGE_JOBS_MOST },
  };
}

/** The newest job of the first arm after this one, in the order of the lists' indexes; its arm alone. */
export function nextArmQuery({ tenant, user }: Pick<UsageQuery, 'tenant' | 'user'>, after: string) {
  return {
    select: { fields: [{ fieldPath: 'arm' }] },
    from: FROM_JOBS,
    where: all([
      equal('tenant', tenant),
      ...equalIfGiven('user', user),
      compare('arm', 'GREATER_THAN', { stringValue: after }),
    ]),
    orderBy: [{ field: { fieldPath: 'arm' }, direction: 'ASCENDING' }, descending('createdAt')],
    limit: { value: 1 },
  };
}

/** The jobs whose time has come, the longest due first. */
export function dueQuery(nowMs: number, limit: number, wakeShards: number) {
  const shards = Array.from({ length: wakeShards }, (_, shard): Value => ({ integerValue: shard }));
  return {
    select: SELECT_JOB,
    from: FROM_JOBS,
    where: all([
      compare('wakeShard', 'IN', { arrayValue: { values: shards } }),
      compare('wakeAt', 'LESS_THAN_OR_EQUAL', instant(nowMs)),
    ]),
    orderBy: [{ field: { fieldPath: 'wakeAt' }, direction: 'ASCENDING' }],
    limit: { value: limit },
  };
}

/** The jobs of a tenant that wait for one of these slots, the oldest first. */
export function parkedQuery(tenant: string, parkedFor: readonly string[], limit: number) {
  const values = parkedFor.map((name): Value => ({ stringValue: name }));
  return {
    select: SELECT_JOB,
    from: FROM_JOBS,
    where: all([equal('tenant', tenant), compare('parkedFor', 'IN', { arrayValue: { values } })]),
    orderBy: [{ field: { fieldPath: 'createdAt' }, direction: 'ASCENDING' }],
    limit: { value: limit },
  };
}

/** The cancels that one worker instance is to hear of. */
export function cancelsQuery(instance: string) {
  return { from: [{ collectionId: 'cancels' }], where: equal('instance', instance) };
}

function equal(fieldPath: string, value: string) {
  return compare(fieldPath, 'EQUAL', { stringValue: value });
}

function equalIfGiven(fieldPath: string, value: string | undefined) {
  return value === undefined ? [] : [equal(fieldPath, value)];
}

function instant(ms: number): Value {
  return toFields({ thenAt: ms }).thenAt as Value;
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
