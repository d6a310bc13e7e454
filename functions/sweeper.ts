/** HTTP function `sweeper`: Cloud Scheduler calls it every minute to do what time does. */
import { logFailure } from '../shared/http/stray-failures.ts';
import { startFunction } from '../shared/runtime-start.ts';

export const { answer: sweeper } = startFunction({
  rings: true,
  async load({ onlyInvokers, sweep, log }) {
    return onlyInvokers(async () => {
      try {
        return Response.json(await sweep());
      } catch (error) {
        logFailure(log, 'sweep-failed', error);
        return new Response(null, { status: 503 });
      }
    });
  },
});
