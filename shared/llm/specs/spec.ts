/** What is known of a model before it is called. */
import type { JobModel } from '../../core/job.ts';

/** One model of the catalog. */
export type ModelSpec = {
  /** Stable UUID; it never changes and is never given to another model, for users store it. */
  id: string;
  /** As shown to people: `GPT-4`. */
  name: string;
  provider: string;
  /** As requests name it: `gpt-4`. */
  model: string;
  /** A model that its vendor retired runs as this one; views go on showing the name that was asked for. */
  runsAs?: string;
};

/** The model as a job keeps it: what was asked for, and what the provider is called with. */
export function toJobModel({ id, name, provider, model, runsAs }: ModelSpec): JobModel {
  return { id, name, provider, model: runsAs ?? model };
}

/** The specs of one provider from rows of id, name for people, vendor's name, and successor of a retired model. */
export function specsOf(
  provider: string,
  rows: readonly (readonly [id: string, name: string, model: string, runsAs?: string])[],
): ModelSpec[] {
  return rows.map(([id, name, model, runsAs]) => ({
    id,
    name,
    provider,
    model,
    ...(runsAs === undefined ? {} : { runsAs }),
  }));
}
