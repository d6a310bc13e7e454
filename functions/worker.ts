/**
 * Function `worker`: Pub/Sub brings a doorbell, the job is run. At `/submissions` it takes in what other services
 * publish; the subscription's push endpoint names in whose name: `/submissions?tenant=acme&user=reports`.
 *
 * Deployed as a plain HTTP function behind our own push subscriptions; with `FUNCTION_SIGNATURE_TYPE=cloudevent` the
 * framework calls it with an event instead of a request, which is always a doorbell. Who sent it is then for Cloud Run to
 * check: events have no credentials.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ConfigError, endWith } from '../shared/config.ts';
import { isCalledWithEvents, leaveDomain } from '../shared/http/functions-framework.ts';
import type { PushHandler } from '../shared/http/push.ts';
import type { Runtime } from '../shared/runtime.ts';
import { startFunction } from '../shared/runtime-start.ts';

const { config, answer, runtime } = startFunction({
  runsJobs: true,
  rings: true,
  shown: async () => ({ renderJob: (await import('./surfaces/llm-jobs-view.ts')).renderJob }),
  async load(opened) {
    const [{ respondToPushes }, ring] = await Promise.all([import('../shared/http/intake.ts'), ringFor(opened)]);
    return opened.onlyInvokers(respondToPushes(ring, opened.intakeFor));
  },
});
if (isCalledWithEvents(config.signatureType) && config.invokers.length > 0 && !config.invokers.includes('iam')) {
  endWith(new ConfigError('INVOKERS must be `iam` where the worker is called with events, which have no credentials'));
}

async function ringFor({ worker: { run }, log, tracing }: Runtime): Promise<PushHandler> {
  const { doorbellHandler } = await import('../shared/http/push.ts');
  return doorbellHandler({ run, log, tracing });
}

/** No declared parameters: the framework hands a callback to event functions that declare two. */
export async function worker(...call: [IncomingMessage, ServerResponse] | [event: unknown]): Promise<void> {
  if (call.length === 2) return answer(...call);
  leaveDomain();
  const ring = await ringFor(await runtime());
  // A rejection is how an event function asks for another delivery.
  if (!(await ring(call[0]))) throw new Error('This delivery must come again.');
}
