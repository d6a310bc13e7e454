/** Before a claim: one of the job's routes must be free to be called, or it waits without an attempt. */
import { orderOf } from './failover.ts';
import type { Gate } from './gate.ts';
import { type Clock, sleep } from './ports.ts';
import type { Routing } from './routing.ts';
import { triesOf } from './tries.ts';

export type RoutingGateOptions = {
  routing: Routing;
  clock: Clock;
  /** Between 0 and 1. */
  random: () => number;
};

/** Up to this long a worker waits itself: it costs less than to put the job off. */
const WAIT_HERE_MOST_MS = 2_000;
/** Jobs that were put off together come back over a time of this share of their wait, … */
const SPREAD_SHARE = 0.5;
/** … and no shorter one. */
const SPREAD_LEAST_MS = 1_000;

export function routingGate({ routing, clock, random }: RoutingGateOptions): Gate {
  return async ({ job, readAtMs }, _, stop) => {
    const startedMs = clock.monotonicMs();
    for (;;) {
      const spentMs = clock.monotonicMs() - startedMs;
      const { routes, restMs } = orderOf(triesOf(job), job.route ?? 0, readAtMs + spentMs);
      const taken = await routing.pass(job, routes);
      if ('pass' in taken) return { pass: taken.pass };
      const waitMs = Math.min(taken.waitMs, restMs);
      if (spentMs + waitMs > WAIT_HERE_MOST_MS) {
        const spreadMs = random() * Math.max(SPREAD_LEAST_MS, waitMs * SPREAD_SHARE);
        const nowMs = readAtMs + clock.monotonicMs() - startedMs;
        return { instead: { type: 'defer', nextAttemptAt: Math.ceil(nowMs + waitMs + spreadMs) } };
      }
      await sleep(clock, waitMs, stop);
      if (stop?.aborted) return { refused: 'draining' };
    }
  };
}
