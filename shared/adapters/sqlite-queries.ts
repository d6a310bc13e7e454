/** The filters of the job store as SQL. */
import type { JobQuery } from '../core/ports.ts';

/** The arm of a job, as its index has it. */
export const ARM = "job ->> '$.arm'";

/** The filters of a query as SQL. */
export function whereOf(query: Partial<JobQuery>): { where: string; values: (string | number)[] } {
  const { tenant, user, state, jobType, modelId, questionId, projectId, batchId, arm, tag } = query;
  const { createdAfter, createdBefore, after } = query;
  const filters: [sql: string, ...values: (string | number | undefined)[]][] = [
    ['tenant = ?', tenant],
    ['user = ?', user],
    ['state = ?', state],
    ['job_type = ?', jobType],
    ["job ->> '$.model.id' = ?", modelId],
    ["job ->> '$.questionId' = ?", questionId],
    ["job ->> '$.projectId' = ?", projectId],
    ["job ->> '$.batchId' = ?", batchId],
    // Said as its index says it.
    [`${ARM} IS NOT NULL AND ${ARM} = ?`, arm],
    ["EXISTS (SELECT 1 FROM json_each(job, '$.tags') WHERE value = ?)", tag],
    ['created_at > ?', createdAfter],
    ['created_at < ?', createdBefore],
    ['(created_at, id) < (?, ?)', after?.createdAt, after?.id],
  ];
  const given = filters.filter(([, value]) => value !== undefined);
  return {
    where: given.map(([sql]) => sql).join(' AND '),
    values: given.flatMap(([, ...values]) => values as (string | number)[]),
  };
}
