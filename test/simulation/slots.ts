/** I7: what must hold of the slots after every commit: never more than may run, and none of a job that is over. */
import type Database from 'libsql';
import type { Clock } from '../../shared/core/ports.ts';
import { ALL_MODELS, limitOn, type RunningLimits } from '../../shared/core/slots.ts';

/** A third of all seeds has a limit on all jobs, and a third one on each of their models. */
export function limitsOf(seed: number): RunningLimits | undefined {
  if (seed % 3 === 1) return new Map([[ALL_MODELS, 2]]);
  return seed % 3 === 2
    ? new Map([
        ['simulated', 3],
        ['simulated-2', 2],
      ])
    : undefined;
}

/** By the routes of the jobs. */
const MODELS = ['simulated', 'simulated-2'];

type Row = { tenant: string; id: string; model: string; expiresAt: number; slotUntil: number | null; state: string } & {
  leaseUntil: number | null;
  route: number | null;
};

export type SlotCheck = {
  /** What does not hold now, as `<id>: <what>`. */
  wrong(): string[];
  /** How many slots are not given back. */
  left(): number;
};

export function slotCheck(database: Database.Database, clock: Clock, limits: RunningLimits = new Map()): SlotCheck {
  const select = database.prepare(
    `SELECT tenant, id, model, expires_at AS expiresAt, state, job ->> '$.slotUntil' AS slotUntil,
       job ->> '$.leaseExpiresAt' AS leaseUntil, job ->> '$.route' AS route
     FROM slots JOIN jobs USING (tenant, id)`,
  );
  const count = database.prepare('SELECT count(*) AS n FROM slots');

  return {
    left: () => (count.get() as { n: number }).n,
    wrong() {
      const rows = select.all() as Row[];
      const running = rows.filter(({ expiresAt }) => expiresAt > clock.nowMs());
      const crowded = running.filter(({ tenant, model: on }) =>
        [ALL_MODELS, on].some((name) => {
          const many = running.filter((row) => row.tenant === tenant && (name === ALL_MODELS || row.model === name));
          return many.length > (limitOn(limits, tenant, name) ?? many.length);
        }),
      );
      return [
        ...crowded.map(({ id, model }) => `${id}: it is one of too many that run (${model})`),
        ...running
          .filter(({ model, leaseUntil, route }) => {
            const isLimited = limitOn(limits, 'default', model) !== undefined;
            return isLimited && (leaseUntil ?? 0) > clock.nowMs() && model !== MODELS[route ?? 0];
          })
          .map(({ id, model }) => `${id}: it has a slot of ${model}, and calls another model`),
        ...rows.filter((row) => row.slotUntil === null).map(({ id, state }) => `${id}: it is ${state} and has a slot`),
        ...rows
          .filter(({ slotUntil, expiresAt }) => slotUntil !== null && slotUntil !== expiresAt)
          .map(({ id }) => `${id}: its slot is not the one that it knows of`),
        ...rows
          .filter(({ state }) => state !== 'pending' && state !== 'processing')
          .map(({ id, state }) => `${id}: it is ${state} and has a slot`),
      ];
    },
  };
}
