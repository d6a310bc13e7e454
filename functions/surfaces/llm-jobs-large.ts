/** Views of one job whose result lies in parts: it goes out as it is read. */
import type { Context } from 'hono';
import type { Job } from '../../shared/core/job.ts';
import type { JobService } from '../../shared/core/service.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { answerLarge } from '../../shared/http/large-json.ts';

/** How the view names what a job may hold in parts. */
const FIELDS = { result: 'result_data', rejectedText: 'rejected_text' } as const;

/** Answers 200 with the view of a job that was read with `large: 'apart'`, whole. */
export async function answerWhole<View extends object>(
  context: Context<HttpEnv>,
  service: JobService,
  job: Job,
  view: View,
) {
  for (const [field, name] of Object.entries(FIELDS) as [keyof typeof FIELDS, keyof View & string][]) {
    const set = job.parts?.[field];
    if (!set || !(name in view)) continue;
    const load = () => service.payload(context.get('principal'), job, field);
    return answerLarge(context, view, { name, bytes: set.bytes, load });
  }
  return context.json(view, 200);
}
