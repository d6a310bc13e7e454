/**
 * How many webhooks a process calls at once: a receiver that hangs must not take the place of those who run jobs. Nobody is
 * lost who finds none: whoever leaves a place goes on with them, and should their process end before, what is due stays
 * due, and the sweeper rings again.
 */
import { type JobKey, jobName } from './job.ts';
import { type Clock, sleep } from './ports.ts';

export type TellingPlaces = {
  /**
   * A place for a call of this host for this tenant, to be left when it is over, which answers whether others should follow;
   * `undefined`: there is none. Waits for a little while.
   */
  take(host: string, tenant: string): Promise<(() => boolean) | undefined>;
  /** There was no place for the webhook of this job. */
  putOff(host: string, key: JobKey): void;
  /** One of those, and no longer, for which there is a place by now. */
  next(): JobKey | undefined;
};

/** One of so many things that a process does at once may be a call of a webhook, … */
const SHARE = 6;
const PLACES_MOST = 8;
/** … and as many may wait for so long, unless it is for a host whose last call took longer. */
const WAIT_MS = 2_000;
/** A host whose last call took so long is one that hangs: nobody goes on with it. */
const HUNG_MS = 10_000;
/** So many of those that found none are remembered. */
const PUT_OFF_MOST = 1_000;

type Host = { calls: number; lastMs: number };

/** `jobsAtOnce`: how many jobs the process runs at once. */
export function tellingPlaces({ clock, jobsAtOnce }: { clock: Clock; jobsAtOnce: number }): TellingPlaces {
  const most = Math.min(PLACES_MOST, Math.max(1, Math.floor(jobsAtOnce / SHARE)));
  /** One host alone leaves room for the others, and so does one tenant, however many names it has for its hosts. */
  const hostMost = Math.ceil(most / 2);
  const tenantMost = Math.ceil((most * 3) / 4);
  const tenants = new Map<string, number>();
  const hosts = new Map<string, Host>();
  const waiting = new Set<AbortController>();
  const putOff = new Map<string, { host: string; key: JobKey }>();
  let calls = 0;

  const hasRoom = (host: string, tenant: string) =>
    calls < most && (hosts.get(host)?.calls ?? 0) < hostMost && (tenants.get(tenant) ?? 0) < tenantMost;
  const lastMsOf = (host: string) => hosts.get(host)?.lastMs ?? 0;

  function enter(name: string, tenant: string): () => boolean {
    const host = hosts.get(name) ?? { calls: 0, lastMs: 0 };
    hosts.set(name, host);
    tenants.set(tenant, (tenants.get(tenant) ?? 0) + 1);
    const startedMs = clock.monotonicMs();
    host.calls += 1;
    calls += 1;
    return () => {
      host.calls -= 1;
      calls -= 1;
      host.lastMs = clock.monotonicMs() - startedMs;
      if (host.calls === 0) hosts.delete(name);
      const left = (tenants.get(tenant) ?? 0) - 1;
      if (left > 0) tenants.set(tenant, left);
      else tenants.delete(tenant);
      for (const waiter of waiting) waiter.abort();
      return host.lastMs < HUNG_MS;
    };
  }

  return {
    async take(host, tenant) {
      const untilMs = clock.monotonicMs() + WAIT_MS;
      while (!hasRoom(host, tenant)) {
        const leftMs = untilMs - clock.monotonicMs();
        if (leftMs <= 0 || waiting.size >= most || lastMsOf(host) > WAIT_MS) return undefined;
        const woken = new AbortController();
        waiting.add(woken);
        await sleep(clock, leftMs, woken.signal);
        waiting.delete(woken);
      }
      return enter(host, tenant);
    },

    putOff(host, key) {
      if (putOff.size < PUT_OFF_MOST) putOff.set(jobName(key), { host, key });
    },

    next() {
      for (const [name, { host, key }] of putOff) {
        if (!hasRoom(host, key.tenant) || lastMsOf(host) >= HUNG_MS) continue;
        putOff.delete(name);
        return key;
      }
      return undefined;
    },
  };
}
