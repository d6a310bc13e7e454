/** Which submissions can be answered in their provider's background mode. Pure. */
import type { FieldError } from './errors.ts';
import type { JobModel } from './job.ts';
import type { ModelCatalog } from './llm.ts';

/** What is wrong with asking these models in background mode. */
export function backgroundErrors(
  models: ModelCatalog,
  { store, stream }: { store?: false | undefined; stream?: boolean | undefined },
  asked: readonly { path: string; model: JobModel }[],
): FieldError[] {
  const wrong: FieldError[] = [];
  const path = 'background';
  if (store === false) {
    wrong.push({ path, message: 'has the provider keep the answer; leave it out, or leave out store: false' });
  }
  if (stream) wrong.push({ path, message: 'cannot be streamed; leave it out, or leave out stream: true' });
  const able = models.list().filter(({ capabilities }) => capabilities.supportsBackground);
  const unable = asked.filter(({ model }) => !able.some(({ runs }) => runs.id === model.id));
  if (unable.length === 0) return wrong;
  const usable = able.filter(({ runs }) => models.availability(runs).available);
  const names = usable.map(({ reference }) => reference).join(', ') || 'none that can be used now';
  // A variant's and a fallback's own place; the job's own model is wrong only for this.
  const at = (own: string) => (own === 'model_id' || own.startsWith('input_data') ? path : own);
  return [
    ...wrong,
    ...unable.map((each) => ({
      path: at(each.path),
      message: `${each.model.name} has no background mode; these have: ${names}`,
    })),
  ];
}
