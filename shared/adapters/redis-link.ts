/**
 * The one connection to a Redis server that all who use it in this process share. It connects on first use, never throws,
 * and waits no longer than a moment: whoever asks must be able to do without an answer.
 */
import type { Clock, Log } from '../core/ports.ts';
import { within } from '../core/within.ts';

export type RedisLinkOptions = {
  /** `redis://`, `rediss://` for TLS, as the client takes it: one server, no cluster. */
  url: string;
  clock: Clock;
  log: Log;
  /** How long an answer is waited for; by default a tenth of a second. */
  answerMs?: number;
};

export type RedisLink = {
  /** What Redis answers to a command; `undefined` when it refuses it, or gives no answer soon: it may still do it. */
  ask<T>(command: (client: RedisClient) => Promise<T>): Promise<{ answer: T } | undefined>;
  /** From then on nobody is asked. */
  close(): Promise<void>;
};

export type RedisClient = Awaited<ReturnType<typeof connect>>['client'];

/** An answer that takes longer is of no use, by default. */
const ANSWER_MS = 100;
/** After a failure nobody waits for Redis for so long. */
const PAUSE_MS = 1_000;
/** Where an answer is missing and nothing else came for so long, the connection is given up: its other end may be gone. */
const SILENCE_MS = 5_000;
const CONNECT_MS = 2_000;
const WARN_EVERY_MS = 60_000;

type Connection = {
  opened: ReturnType<typeof connect>;
  ending: AbortController;
  isOpen: boolean;
  startedAtMs: number;
  heardAtMs: number;
};

export function redisLink({ url, clock, log, answerMs = ANSWER_MS }: RedisLinkOptions): RedisLink {
  let connection: Connection | undefined;
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  function open(): Connection {
    const nowMs = clock.monotonicMs();
    const ending = new AbortController();
    const opened = connect(url, ending.signal, () => forget(made));
    const made: Connection = { opened, ending, isOpen: false, startedAtMs: nowMs, heardAtMs: nowMs };
    // The client's own limit ends where the server has taken the connection and says nothing more.
    const cancel = clock.setTimer(() => fail(made, 'no-answer'), CONNECT_MS);
    opened.then(
      () => {
        cancel();
        made.isOpen = true;
        made.heardAtMs = clock.monotonicMs();
      },
      (error: unknown) => {
        cancel();
        fail(made, codeOf(error));
      },
    );
    return made;
  }

  function forget(lost: Connection): void {
    if (connection === lost) connection = undefined;
    lost.ending.abort();
  }

  function fail(lost: Connection, reason: string): void {
    if (connection === lost) pause(reason);
    forget(lost);
  }

  function pause(reason: string): void {
    pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
    warn(reason);
  }

  function warn(reason: string): void {
    const nowMs = clock.monotonicMs();
    if (isClosed || nowMs - warnedAtMs < WARN_EVERY_MS) return;
    warnedAtMs = nowMs;
    log('warning', 'redis-unanswered', { reason });
  }

  async function tell<T>(
    asked: Connection,
    command: (client: RedisClient) => Promise<T>,
  ): Promise<{ answer: T } | 'failed'> {
    let isRefusal = (_: unknown) => false;
    try {
      const { client, ErrorReply } = await asked.opened;
      isRefusal = (error) => error instanceof ErrorReply;
      const answer = await command(client);
      asked.heardAtMs = clock.monotonicMs();
      return { answer };
    } catch (error) {
      // A server that says no is there, and may say yes to the others.
      if (isRefusal(error)) {
        asked.heardAtMs = clock.monotonicMs();
        warn(codeOf(error));
      } else fail(asked, codeOf(error));
      return 'failed';
    }
  }

  return {
    async ask(command) {
      const nowMs = clock.monotonicMs();
      if (isClosed || nowMs < pausedUntilMs) return undefined;
      connection ??= open();
      const asked = connection;
      // Whoever comes while it connects waits for the rest of the time, not anew.
      const waitMs = asked.isOpen ? answerMs : Math.max(0, asked.startedAtMs + answerMs - nowMs);
      const telling = tell(asked, command);
      // Where this process was busy all the time, the answer is there and unread: timers come before sockets.
      const told = (await within(clock, waitMs, telling)) ?? (await within(clock, 1, telling));
      if (told !== undefined) return told === 'failed' ? undefined : told;
      // A first connection may take longer than an answer: no failure yet.
      if (asked.isOpen && connection === asked) {
        pause('no-answer');
        if (clock.monotonicMs() - asked.heardAtMs >= SILENCE_MS) forget(asked);
      }
      return undefined;
    },

    async close() {
      isClosed = true;
      if (connection) forget(connection);
    },
  };
}

/**
 * A connection, until `ending` is aborted. `onLost`: it was there, and ended; it is not made again by itself, so that
 * nothing runs while nobody asks.
 */
async function connect(url: string, ending: AbortSignal, onLost: () => void) {
  // 200 ms: only who uses Redis pays for it, once.
  const { createClient, ErrorReply } = await import('redis');
  ending.throwIfAborted();
  const client = createClient({
    url,
    // What every server speaks.
    RESP: 2,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: false },
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
  return { client, ErrorReply };
}

/** `ECONNREFUSED`, `NOAUTH`, …: never the message, which may hold anything. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return code ?? /^[A-Z]{3,}(?= )/.exec(error.message)?.[0] ?? error.constructor.name;
}
