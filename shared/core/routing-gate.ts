/** Before a claim: one of the job's routes must be free to be called, or it waits without an attempt. */
import { orderOf } from './failover.ts';
import type { Gate } from './gate.ts';
import { passSoon } from './pass-soon.ts';
import type { Clock } from './ports.ts';
import type { Routing } from './routing.ts';
import { triesOf } from './tries.ts';

export type RoutingGateOptions = {
  routing: Routing;
  clock: Clock;
  /** Between 0 and 1. */
  random: () => number;
};

/** Jobs that were put off together come back over a time of this share of their wait, … */
const SPREAD_SHARE = 0.5;
/** … and no shorter one. */
const SPREAD_LEAST_MS = 1_000;

export function routingGate({ routing, clock, random }: RoutingGateOptions): Gate {
  return async ({ job, readAtMs }, _, stop) => {
    const startedMs = clock.monotonicMs();
    const nowMs = () => readAtMs + clock.monotonicMs() - startedMs;
    const ask = async () => {
      const { routes, restMs } = orderOf(triesOf(job), job.route ?? 0, nowMs());
      const asked = await routing.pass(job, routes);
      return 'pass' in asked ? asked : { waitMs: Math.min(asked.waitMs, restMs) };
    };
    const passed = await passSoon(clock, ask, stop);
    if ('pass' in passed) return passed;
    if (stop?.aborted) return { refused: 'draining' };
    const { waitMs } = passed;
    const spreadMs = random() * Math.max(SPREAD_LEAST_MS, waitMs * SPREAD_SHARE);
    return { instead: { type: 'defer', nextAttemptAt: Math.ceil(nowMs() + waitMs + spreadMs) } };
  };
}
