/**
 * Function `dead-letter`: Pub/Sub brings what it gave up. A dead doorbell changes nothing: it is logged, and its job ends
 * by its own clocks. A published submission that was never taken in is taken in here, at `/submissions` as in `worker.ts`.
 */
import { startFunction } from '../shared/runtime-start.ts';

export const { answer: deadLetter } = startFunction({
  async load({ log, rescueFor, onlyInvokers }) {
    const [{ respondToPushes }, { deadDoorbellHandler }] = await Promise.all([
      import('../shared/http/intake.ts'),
      import('../shared/http/push.ts'),
    ]);
    return onlyInvokers(respondToPushes(deadDoorbellHandler({ log }), rescueFor));
  },
});
