/** What gives way first when many jobs come at once. Pure. */
import { operationsOf, type Service, type Workload } from './capacity-costs.ts';

/** `share`: how much of `most` is used at the peak. `raise`: what to do about it. */
export type Quota = { what: string; used: number; most: number; share: number; raise: string };

/** What a provider allows. */
export type ProviderLimits = { requestsPerMinute: number };

/** One tenant's documents lie side by side in the indexes of its lists. */
const SEQUENTIAL_WRITES = 500;
/** Create, claim and finish change the state, by which lists are indexed. */
const INDEXED_WRITES = 3;
const WAKE_SHARDS = 16;
/** 500 operations a second in the beginning, half as many again each five minutes. */
const RAMP_WRITES = 500;
/** Of a subscription whose pushes take longer than a second: messages that are out at once. */
const PUSHED_MOST = 3_000;
/** One slot set each tenant; its writers take turns in their process. */
const SLOT_WRITES = 50;
const DAY_SECONDS = 86_400;

/** The nearest to its limit first. `peak`: how many times the average comes at the worst moment. */
export function quotasOf(load: Workload, service: Service, limits: ProviderLimits, peak: number): Quota[] {
  const jobs = (load.jobsPerDay / DAY_SECONDS) * peak;
  const { writes, chunks } = operationsOf(load);
  const underWay = jobs * load.llmSeconds;
  const quota = (what: string, used: number, most: number, raise: string) => ({
    ...{ what, used, most, share: used / most, raise },
  });
  const quotas = [
    quota(
      "writes a second to one tenant's indexes",
      jobs * INDEXED_WRITES,
      SEQUENTIAL_WRITES,
      'spread the load over more tenants: each has a range of its own',
    ),
    quota(
      'writes a second to a database at its start',
      jobs * writes,
      RAMP_WRITES,
      'let it grow by half each 5 minutes',
    ),
    quota(
      "writes a second to the sweeper's index",
      jobs * (writes - chunks),
      SEQUENTIAL_WRITES * WAKE_SHARDS,
      'WAKE_SHARDS, up to 30',
    ),
    quota(
      'messages out at once, pushed in a region',
      underWay,
      PUSHED_MOST,
      'background mode for long calls; a second region; the quota of push subscriptions',
    ),
    quota(
      'jobs under way in all workers',
      underWay,
      service.concurrency * service.instancesMost,
      "the worker's instances in infra/functions.json, then Cloud Run's quota of instances",
    ),
    quota(
      'calls a minute to the provider',
      jobs * 60 * load.attempts,
      limits.requestsPerMinute,
      "the provider's tier; fallbacks; REQUESTS_PER_MINUTE, so that jobs wait in place of failing",
    ),
    ...(load.isLimited
      ? [quota("writes a second to a tenant's slots", jobs * 2, SLOT_WRITES, 'limits on models or tenants, not on all')]
      : []),
  ];
  return quotas.sort((left, right) => right.share - left.share);
}
