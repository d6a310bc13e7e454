/**
 * `RateLimiter` on Redis: one bucket for all instances, changed by one script on Redis's own clock. While Redis gives no
 * answer, each instance counts for itself: a limit that is not exact is better than a service that is not there.
 */
import type { Clock, Log } from '../core/ports.ts';
import { type RateLimiter, type Rule, type Taken, takenFrom } from '../core/rate-limits.ts';
import { within } from '../core/within.ts';

export type RedisRateLimiterOptions = {
  /** `redis://`, `rediss://` for TLS, as the client takes it: one server, no cluster. */
  url: string;
  /** Counts while Redis does not. */
  fallback: RateLimiter;
  clock: Clock;
  log: Log;
};

/** An answer that takes longer is of no use. */
const ANSWER_MS = 100;
/** After a failure nobody waits for Redis for so long. */
const PAUSE_MS = 1_000;
/** Where an answer is missing and nothing else came for so long, the connection is given up: its other end may be gone. */
const SILENCE_MS = 5_000;
const CONNECT_MS = 2_000;
const WARN_EVERY_MS = 60_000;

/** `takeFrom`, on Redis's own clock. Answers whether it was admitted, and what is left. */
const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local per_minute, full, cost = tonumber(ARGV[1]), ARGV[2] * 60000, ARGV[3] * 60000
local left = redis.call('HMGET', KEYS[1], 'units', 'at')
local units = full
if left[1] then
  units = math.min(full, left[1] + math.max(0, now - left[2]) * per_minute)
end
local allowed = units >= 60000
if allowed then units = units - cost end
redis.call('HSET', KEYS[1], 'units', string.format('%.0f', units), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil((full - units) / per_minute)))
return { allowed and 1 or 0, units }
`;

type Client = Awaited<ReturnType<typeof connect>>;
type Link = {
  client: Promise<Client>;
  ending: AbortController;
  isOpen: boolean;
  startedAtMs: number;
  heardAtMs: number;
};

/** Connects on first use. Never throws, never waits for more than a moment. */
export function redisRateLimiter(options: RedisRateLimiterOptions): RateLimiter & { close(): Promise<void> } {
  const { fallback, clock, log } = options;
  let link: Link | undefined;
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  function open(): Link {
    const nowMs = clock.monotonicMs();
    const ending = new AbortController();
    const client = connect(options.url, ending.signal, () => forget(opened));
    const opened: Link = { client, ending, isOpen: false, startedAtMs: nowMs, heardAtMs: nowMs };
    // The client's own limit ends where the server has taken the connection and says nothing more.
    const cancel = clock.setTimer(() => fail(opened, 'no-answer'), CONNECT_MS);
    client.then(
      () => {
        cancel();
        opened.isOpen = true;
        opened.heardAtMs = clock.monotonicMs();
      },
      (error: unknown) => {
        cancel();
        fail(opened, codeOf(error));
      },
    );
    return opened;
  }

  function forget(lost: Link): void {
    if (link === lost) link = undefined;
    lost.ending.abort();
  }

  function fail(lost: Link, reason: string): void {
    if (link === lost) pause(reason);
    forget(lost);
  }

  function pause(reason: string): void {
    const nowMs = clock.monotonicMs();
    pausedUntilMs = nowMs + PAUSE_MS;
    if (isClosed || nowMs - warnedAtMs < WARN_EVERY_MS) return;
    warnedAtMs = nowMs;
    log('warning', 'rate-limits-not-shared', { reason });
  }

  /** `undefined` when Redis cannot say. */
  async function ask(asked: Link, bucket: string, rule: Rule, cost: number): Promise<Taken | undefined> {
    try {
      const client = await asked.client;
      const { allowed, units } = await client.take(bucket, rule, cost);
      asked.heardAtMs = clock.monotonicMs();
      return takenFrom(allowed, units, rule);
    } catch (error) {
      fail(asked, codeOf(error));
      return undefined;
    }
  }

  async function askInTime(bucket: string, rule: Rule, cost: number): Promise<Taken | undefined> {
    link ??= open();
    const asked = link;
    const nowMs = clock.monotonicMs();
    // Whoever comes while it connects waits for the rest of the time, not anew.
    const waitMs = asked.isOpen ? ANSWER_MS : Math.max(0, asked.startedAtMs + ANSWER_MS - nowMs);
    const asking = ask(asked, bucket, rule, cost);
    // Where this process was busy all the time, the answer is there and unread: timers come before sockets.
    const taken = (await within(clock, waitMs, asking)) ?? (await within(clock, 1, asking));
    if (taken) return taken;
    // A first connection may take longer than an answer: no failure yet.
    if (asked.isOpen && link === asked) {
      pause('no-answer');
      if (clock.monotonicMs() - asked.heardAtMs >= SILENCE_MS) forget(asked);
    }
    return undefined;
  }

  return {
    async take(bucket, rule, cost = 1) {
      const isAsked = !isClosed && clock.monotonicMs() >= pausedUntilMs;
      const taken = isAsked ? await askInTime(bucket, rule, cost) : undefined;
      return taken ?? fallback.take(bucket, rule, cost);
    },

    async close() {
      isClosed = true;
      if (link) forget(link);
    },
  };
}

/**
 * A connection, until `ending` is aborted. `onLost`: it was there, and ended; it is not made again by itself, so that
 * nothing runs while nobody asks.
 */
async function connect(url: string, ending: AbortSignal, onLost: () => void) {
  // 200 ms: only who limits rates through Redis pays for it, once.
  const { createClient, defineScript } = await import('redis');
  ending.throwIfAborted();
  const take = defineScript({
    SCRIPT,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, bucket: string, { perMinute, burst }: Rule, cost: number) {
      parser.pushKey(`llm-jobs:rate:${bucket}`);
      parser.push(String(perMinute), String(burst), String(cost));
    },
    transformReply: ([allowed, units]: [allowed: number, units: number]) => ({ allowed: allowed === 1, units }),
  });
  const client = createClient({
    url,
    // What every server speaks.
    RESP: 2,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: false },
    scripts: { take },
  });
  let isConnected = false;
  client.on('error', () => {
    if (isConnected) onLost();
  });
  ending.addEventListener('abort', () => client.destroy());
  // A client that was destroyed while its socket connected would go on with it.
  client.on('connect', () => {
    if (ending.aborted) client.destroy();
  });
  await client.connect();
  isConnected = true;
  return client;
}

/** `ECONNREFUSED`, `NOAUTH`, …: never the message, which may hold anything. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return code ?? /^[A-Z]{3,}(?= )/.exec(error.message)?.[0] ?? error.constructor.name;
}
