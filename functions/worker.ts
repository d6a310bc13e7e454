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
import { subscriptionPrincipal } from '../shared/http/intake.ts';
import { doorbellHandler, respondToPush } from '../shared/http/push.ts';
import { googleRuntime } from '../shared/runtime.ts';

const runtime = googleRuntime(readConfig());
const ring = doorbellHandler(runtime);
const respond = nodeFunction((request) => {
  const url = new URL(request.url);
  if (!/^\/submissions\/?$/.test(url.pathname)) return respondToPush(request, ring);
  const principal = subscriptionPrincipal(url);
  // The subscription is configured wrong: its messages must wait, not vanish.
  return principal ? respondToPush(request, runtime.intakeFor(principal)) : new Response(null, { status: 400 });
});

/** No declared parameters: the framework hands a callback to event functions that declare two. */
export async function worker(...call: [IncomingMessage, ServerResponse] | [event: unknown]): Promise<void> {
  if (call.length === 2) return respond(...call);
  // A rejection is how an event function asks for another delivery.
  if (!(await ring(call[0]))) throw new Error('The store gave no answer.');
}
