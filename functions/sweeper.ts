/** HTTP function `sweeper`: Cloud Scheduler calls it every minute to do what time does. */
import { readConfig } from '../shared/config.ts';
import { endByOurselves, handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { logFailure } from '../shared/http/stray-failures.ts';
import { googleRuntime } from '../shared/runtime.ts';

handleRequestsWhole();
const { config, sweep, log, onlyInvokers } = googleRuntime(readConfig());
endByOurselves({ log, graceMs: config.drainMs });

export const sweeper = nodeFunction(
  onlyInvokers(async () => {
    try {
      return Response.json(await sweep());
    } catch (error) {
      logFailure(log, 'sweep-failed', error);
      return new Response(null, { status: 503 });
    }
  }),
);
