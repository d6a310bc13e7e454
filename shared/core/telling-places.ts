/**
 * How many webhooks a process calls at once: a receiver that hangs must not take the place of those who run jobs. Nobody is
 * lost who finds none: whoever leaves a place goes on with them, and should their process end before, what is due stays
 * due, and the sweeper rings again.
 */
import { type JobKey, jobName } from './job.ts';
import { type Clock, sleep } from './ports.ts';

export type TellingPlaces = {
  /**
   * A place for a call of this host, to be left when it is over, which answers whether that went quickly; `undefined`:
   * there is none. Waits for a little while.
   */
  take(host: string): Promise<(() => boolean) | undefined>;
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
/** So many of those that found none are remembered. */
const PUT_OFF_MOST = 1_000;

type Host = { calls: number; isSlow: boolean };

/** `jobsAtOnce`: how many jobs the process runs at once. */
export function tellingPlaces({ clock, jobsAtOnce }: { clock: Clock; jobsAtOnce: number }): TellingPlaces {
  const most = Math.min(PLACES_MOST, Math.max(1, Math.floor(jobsAtOnce / SHARE)));
  /** One host alone leaves room for the others. */
  const hostMost = Math.ceil(most / 2);
  const hosts = new Map<string, Host>();
  const waiting = new Set<AbortController>();
  const putOff = new Map<string, { host: string; key: JobKey }>();
  let calls = 0;

  const hasRoom = (host: string) => calls < most && (hosts.get(host)?.calls ?? 0) < hostMost;

  function enter(name: string): () => boolean {
    const host = hosts.get(name) ?? { calls: 0, isSlow: false };
    hosts.set(name, host);
    const startedMs = clock.monotonicMs();
    host.calls += 1;
    calls += 1;
    return () => {
      host.calls -= 1;
      calls -= 1;
      host.isSlow = clock.monotonicMs() - startedMs > WAIT_MS;
      if (host.calls === 0) hosts.delete(name);
      for (const waiter of waiting) waiter.abort();
      return !host.isSlow;
    };
  }

  return {
    async take(host) {
      const untilMs = clock.monotonicMs() + WAIT_MS;
      while (!hasRoom(host)) {
        const leftMs = untilMs - clock.monotonicMs();
        if (leftMs <= 0 || waiting.size >= most || hosts.get(host)?.isSlow) return undefined;
        const woken = new AbortController();
        waiting.add(woken);
        await sleep(clock, leftMs, woken.signal);
        waiting.delete(woken);
      }
      return enter(host);
    },

    putOff(host, key) {
      if (putOff.size < PUT_OFF_MOST) putOff.set(jobName(key), { host, key });
    },

    next() {
      for (const [name, { host, key }] of putOff) {
        if (!hasRoom(host) || hosts.get(host)?.isSlow) continue;
        putOff.delete(name);
        return key;
      }
      return undefined;
    },
  };
}
