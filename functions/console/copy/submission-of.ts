/** A job as it was submitted, by what its view and its input show. Pure. */
import type { JobView } from '../../../shared/client/client.ts';

/** What `GET …/input/` answers. */
export type JobInput = { job_type: string; model_id: string; input_data: Record<string, unknown> };

const CLOCKS = ['start_within', 'timeout', 'attempt_timeout', 'idle_timeout', 'ttl_seconds'] as const;
type Clocks = Readonly<Record<(typeof CLOCKS)[number], number>>;

const DEFAULT_CLOCKS: Clocks = {
  ...{ start_within: 86_400, timeout: 86_400, attempt_timeout: 540, idle_timeout: 240, ttl_seconds: 2_592_000 },
};
const CLOCKS_OF: Readonly<Record<string, Partial<Clocks>>> = {
  structured_extraction: { attempt_timeout: 180 },
  prompt_generation: { start_within: 100, timeout: 100, attempt_timeout: 45, idle_timeout: 30 },
};

/** The clocks that a job has which names none. */
export function defaultClocks(jobType: string): Clocks {
  return { ...DEFAULT_CLOCKS, ...CLOCKS_OF[jobType] };
}

/** The submission that makes such a job once more: what only repeats a default is left out. */
export function submissionOf(view: JobView, { job_type, model_id, input_data }: JobInput): Record<string, unknown> {
  const usual = defaultClocks(job_type);
  const { question_id, project_id, tags, metadata, stream, store, max_cost, cache_ttl_seconds, background } = view;
  const own = {
    ...{ job_type, model_id, input_data, question_id, project_id, tags, metadata, stream, store, max_cost },
    fallbacks: view.fallbacks?.map(({ id }) => id),
    ...{ cache_ttl_seconds, background },
    ...Object.fromEntries(CLOCKS.flatMap((name) => (view[name] === usual[name] ? [] : [[name, view[name]]]))),
  };
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
}

/** What it was given beside, which nothing shows: said to whoever copies it. */
export function notShownOf({ arm, urls }: JobView): string[] {
  return [...(arm === undefined ? [] : ['experiment']), ...(urls.deliveries === undefined ? [] : ['webhook'])];
}
