/** The core on virtual time, whose worker knows of routes and of what their models may be asked. */
import { type FailureCode, ServiceError } from '../../shared/core/errors.ts';
import { sleep } from '../../shared/core/ports.ts';
import type { RetryPolicy } from '../../shared/core/retry.ts';
import { type RoutingOptions, routing } from '../../shared/core/routing.ts';
import { routingGate } from '../../shared/core/routing-gate.ts';
import { answer, coreWorld } from './core-world.ts';

/** What becomes of a call; `undefined`: it is answered at once. */
export type Fate = { lastsMs?: number; fails?: FailureCode; retryAfterMs?: number } | undefined;

export type RoutesSettings = {
  retry?: RetryPolicy | undefined;
  limits?: (world: ReturnType<typeof coreWorld>) => RoutingOptions['limits'];
};

export function routesWorld(fate: (call: number, model: string) => Fate, { retry, limits }: RoutesSettings = {}) {
  const world = coreWorld(async function* ({ model }, signal, call) {
    const { lastsMs = 0, fails, retryAfterMs } = fate(call, model) ?? {};
    if (lastsMs > 0) await sleep(world.clock, lastsMs, signal);
    if (fails) throw new ServiceError(fails, 'by the test', retryAfterMs === undefined ? {} : { retryAfterMs });
    yield* answer();
  }, retry);
  const { clock, log } = world;
  const routes = routing({ clock, log, limits: limits?.(world) });
  const around = { routing: routes, gate: routingGate({ routing: routes, clock, random: () => 0 }) };
  return { world, routes, around, worker: world.anotherWorker(around) };
}
