/**
 * Function `worker`: Pub/Sub brings a doorbell, the job is run. Deployed as a plain HTTP function behind our own push
 * subscription; with `FUNCTION_SIGNATURE_TYPE=cloudevent` the framework calls it with an event instead of a request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readConfig } from '../shared/config.ts';
import { nodeFunction } from '../shared/http/functions-framework.ts';
import { pushHandler, pushResponder } from '../shared/http/push.ts';
import { googleRuntime } from '../shared/runtime.ts';

const handle = pushHandler(googleRuntime(readConfig()));
const respond = nodeFunction(pushResponder(handle));

/** No declared parameters: the framework hands a callback to event functions that declare two. */
export async function worker(...call: [IncomingMessage, ServerResponse] | [event: unknown]): Promise<void> {
  if (call.length === 2) return respond(...call);
  // A rejection is how an event function asks for another delivery.
  if (!(await handle(call[0]))) throw new Error('The store gave no answer.');
}
