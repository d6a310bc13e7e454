/**
 * Function `worker`: Pub/Sub brings a doorbell, the job is run. At `/submissions` it takes in what other services
 * publish; the subscription's push endpoint names in whose name: `/submissions?tenant=acme&user=reports`.
 *
 * Deployed as a plain HTTP function behind our own push subscriptions; with `FUNCTION_SIGNATURE_TYPE=cloudevent` the
 * framework calls it with an event instead of a request, which is always a doorbell. Who sent it is then for Cloud Run to
 * check: events have no credentials.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ConfigError, readConfig } from '../shared/config.ts';
import {
  endByOurselves,
  handleRequestsWhole,
  isCalledWithEvents,
  leaveDomain,
  nodeFunction,
} from '../shared/http/functions-framework.ts';
import { respondToPushes } from '../shared/http/intake.ts';
import { doorbellHandler } from '../shared/http/push.ts';
import { googleRuntime } from '../shared/runtime.ts';
import { renderJob } from './surfaces/llm-jobs-view.ts';

const { config, log, worker: jobs, intakeFor, onlyInvokers } = googleRuntime(readConfig(), undefined, { renderJob });
if (!isCalledWithEvents(config.signatureType)) handleRequestsWhole();
else if (config.invokers.length > 0 && !config.invokers.includes('iam')) {
  throw new ConfigError('INVOKERS must be `iam` where the worker is called with events, which have no credentials');
}
endByOurselves({ log, drain: () => jobs.drain(config.drainMs), graceMs: config.drainMs });

const ring = doorbellHandler({ run: jobs.run, log });
const respond = nodeFunction(onlyInvokers(respondToPushes(ring, intakeFor)));

/** No declared parameters: the framework hands a callback to event functions that declare two. */
export async function worker(...call: [IncomingMessage, ServerResponse] | [event: unknown]): Promise<void> {
  if (call.length === 2) return respond(...call);
  leaveDomain();
  // A rejection is how an event function asks for another delivery.
  if (!(await ring(call[0]))) throw new Error('This delivery must come again.');
}
