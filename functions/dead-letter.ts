/**
 * Function `dead-letter`: Pub/Sub brings what it gave up. A dead doorbell changes nothing: it is logged, and its job ends
 * by its own clocks. A published submission that was never taken in is taken in here, at `/submissions` as in `worker.ts`.
 */
import { readConfig } from '../shared/config.ts';
import { endByOurselves, handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { respondToPushes } from '../shared/http/intake.ts';
import { deadDoorbellHandler } from '../shared/http/push.ts';
import { googleRuntime } from '../shared/runtime.ts';

handleRequestsWhole();
const { config, log, rescueFor, onlyInvokers } = googleRuntime(readConfig());
endByOurselves({ log, graceMs: config.drainMs });

export const deadLetter = nodeFunction(onlyInvokers(respondToPushes(deadDoorbellHandler({ log }), rescueFor)));
