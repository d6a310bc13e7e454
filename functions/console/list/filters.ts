/** What the list is narrowed to, as it stands in the address. */
import type { JobType } from '../../../shared/client/client.ts';

export const JOB_TYPES: readonly JobType[] = [
  'general_llm_request',
  'trainer_question_analysis',
  'review_colab',
  'structured_extraction',
  'prompt_generation',
];

/** By their names in the API: those that have a field on the page, then those that come by a link. */
const FILTERS = ['status', 'job_type', 'model', 'tag', 'batch_id', 'question_id', 'project_id', 'arm'] as const;

export type FilterName = (typeof FILTERS)[number];

export type Filters = { [name in FilterName]?: string };

/** Those of an address; what it says beside them means nothing to the list. */
export function filtersIn(query: URLSearchParams): Filters {
  const given = FILTERS.flatMap((name) => {
    const value = query.get(name)?.trim();
    return value ? [[name, value]] : [];
  });
  return Object.fromEntries(given);
}
