/** HTTP function `sweeper`: Cloud Scheduler calls it every minute to do what time does. */
import { readConfig } from '../shared/config.ts';
import { handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { googleRuntime } from '../shared/runtime.ts';

handleRequestsWhole();
const { sweep, log } = googleRuntime(readConfig());

export const sweeper = nodeFunction(async () => {
  try {
    return Response.json(await sweep());
  } catch (error) {
    log('error', 'sweep-failed', { error: String(error) });
    return new Response(null, { status: 503 });
  }
});
