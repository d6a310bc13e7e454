/** What a job holds in parts, for those who read it. */

import type { Seen } from './access.ts';
import { applyChanges, type Job, type Json } from './job.ts';
import type { InParts } from './part-set.ts';
import type { PartStore } from './part-store.ts';
import { readParts, valueIn } from './parts.ts';

/** The job with its result loaded. Throws `store_unavailable`, or `internal_error` where it is damaged. */
export async function wholeOf(parts: PartStore, seen: Seen): Promise<Seen> {
  const { job, nowMs } = seen;
  const set = job.parts?.result;
  return set ? { job: applyChanges(job, { result: await valueIn(parts, job, set) }), nowMs } : seen;
}

/**
 * As pieces of JSON text, the first of which is loaded with the answer. Throws as `wholeOf` does, then or later; `onBreak`
 * hears of what is thrown later, when half of it has gone out already.
 */
export async function payloadOf(
  parts: PartStore,
  job: Job,
  field: InParts,
  onBreak: (error: unknown) => void = () => {},
): Promise<AsyncIterable<string>> {
  const set = job.parts?.[field];
  const texts = set ? readParts(parts, job, set) : once(JSON.stringify(field === 'input' ? null : job[field]));
  const first = await texts.next();
  return (async function* () {
    if (!first.done) yield first.value;
    try {
      yield* texts;
    } catch (error) {
      onBreak(error);
      throw error;
    }
  })();
}

/** The inputs of these jobs, with those that lie in parts. */
export function wholeInputs(
  parts: PartStore,
  jobs: readonly Job[],
  inputs: readonly (Json | undefined)[],
): Promise<(Json | undefined)[]> {
  return Promise.all(
    jobs.map((job, index) => (job.parts?.input ? valueIn(parts, job, job.parts.input) : inputs[index])),
  );
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
