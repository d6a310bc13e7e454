/**
 * Function `worker`: Pub/Sub brings a doorbell, the job is run. At `/submissions` it takes in what other services
 * publish; the subscription's push endpoint names in whose name: `/submissions?tenant=acme&user=reports`.
 *
 * Deployed as a plain HTTP function behind our own push subscriptions; with `FUNCTION_SIGNATURE_TYPE=cloudevent` the
 * framework calls it with an event instead of a request, which is always a doorbell.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readConfig } from '../shared/config.ts';
import { nodeFunction } from '../shared/http/functions-framework.ts';
import { doorbellHandler, respondToPush } from '../shared/http/push.ts';
import { googleRuntime } from '../shared/runtime.ts';

const runtime = googleRuntime(readConfig());
const ring = doorbellHandler(runtime);
const respond = nodeFunction((request) => {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname !== '/submissions') return respondToPush(request, ring);
  const { tenant, user } = { tenant: 'default', user: 'local', ...Object.fromEntries(searchParams) };
  return respondToPush(request, runtime.intakeFor({ tenant, user, scopes: ['jobs:write'] }));
});

/** No declared parameters: the framework hands a callback to event functions that declare two. */
export async function worker(...call: [IncomingMessage, ServerResponse] | [event: unknown]): Promise<void> {
  if (call.length === 2) return respond(...call);
  // A rejection is how an event function asks for another delivery.
  if (!(await ring(call[0]))) throw new Error('The store gave no answer.');
}
