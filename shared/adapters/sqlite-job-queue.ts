/**
 * `JobQueue` on SQLite, with the manners of a Pub/Sub push subscription: a doorbell is delivered until it is
 * acknowledged, later after each refusal, again when no answer comes before the acknowledgement deadline, and is set
 * aside as a dead letter in the end. Messages that were under way when the process died are delivered again at once.
 */
import type Database from 'libsql';
import { describeError, ServiceError } from '../core/errors.ts';
import type { JobKey } from '../core/job.ts';
import type { Clock, JobQueue, Log } from '../core/ports.ts';
import { inSavepoint, type Write, writeAtOnce } from './sqlite-writes.ts';

export type Delivery = {
  messageId: string;
  doorbell: JobKey;
  /** 1 for the first delivery. */
  attempt: number;
};

/** Takes a delivery; `true` acknowledges it. A rejection is a refusal. */
export type DeliveryHandler = (delivery: Delivery) => Promise<boolean>;

export type SqliteJobQueue = JobQueue & {
  /** Starts delivering, `concurrency` messages at a time. The answer stops it; deliveries under way end as they would. */
  consume(handler: DeliveryHandler, concurrency: number): () => void;
  /** The doorbells that were set aside, oldest first. */
  deadLetters(): JobKey[];
};

export type SqliteJobQueueOptions = {
  clock: Clock;
  log: Log;
  write?: Write;
  /** Without an answer for this long, a message is delivered again. Pub/Sub's longest. */
  ackDeadlineMs?: number;
  /** The pause after the first refusal; it doubles up to `backoffMostMs`. */
  backoffLeastMs?: number;
  backoffMostMs?: number;
  /** After this many deliveries without an acknowledgement a message is dead. */
  deliveriesMost?: number;
};

/** Timers of many days fire at once. */
const LOOK_AGAIN_MS = 60_000;
const TROUBLE_PAUSE_MS = 1_000;

type Row = { id: number; body: string; deliveries: number };
/** Of a message whose row says already that it is being delivered. */
type Taken = { id: number; doorbell: JobKey; attempt: number };
/** What a publisher may hand its doorbell to. */
type Consumer = {
  /** Looks for messages. */
  pump(): void;
  /** Keeps a place for a doorbell that is not in the file yet; `undefined`: there is none, or others wait for it. */
  keepPlace(): { deliver(message: Taken): void; giveUp(): void } | undefined;
};

export function sqliteJobQueue(database: Database.Database, options: SqliteJobQueueOptions): SqliteJobQueue {
  const { clock, log, write = writeAtOnce, ackDeadlineMs = 600_000, backoffLeastMs = 1_000 } = options;
  const { backoffMostMs = 600_000, deliveriesMost = 20 } = options;
  const insert = database.prepare(
    'INSERT INTO messages (body, published_at, visible_at, deliveries) VALUES (?, ?, ?, ?)',
  );
  const selectVisible = database.prepare(
    'SELECT id, body, deliveries FROM messages WHERE visible_at <= ? ORDER BY visible_at, id LIMIT ?',
  );
  const selectNext = database.prepare('SELECT min(visible_at) AS at FROM messages');
  const take = database.prepare('UPDATE messages SET deliveries = deliveries + 1, visible_at = ? WHERE id = ?');
  const acknowledge = database.prepare('DELETE FROM messages WHERE id = ?');
  // Only this delivery's refusal: after the deadline the message is somebody else's.
  const postpone = database.prepare('UPDATE messages SET visible_at = ? WHERE id = ? AND deliveries = ?');
  const bury = database.prepare(
    'INSERT OR IGNORE INTO dead_letters SELECT id, body, published_at, ? FROM messages WHERE id = ?',
  );
  const selectDead = database.prepare('SELECT body FROM dead_letters ORDER BY id');

  // Whoever had these under way is dead: the file has one process, and this is its start.
  database.prepare('UPDATE messages SET visible_at = ? WHERE deliveries > 0').run(clock.nowMs());

  let consumer: Consumer | undefined;

  function consume(handler: DeliveryHandler, concurrency: number): () => void {
    let underWay = 0;
    let stopped = false;
    let isTaking = false;
    let isRung = false;
    /** May others be waiting in the file for a place? */
    let isMore = true;
    let cancelTimer = () => {};
    let timerAtMs = Number.POSITIVE_INFINITY;

    async function deliver({ id, doorbell, attempt }: Taken): Promise<void> {
      const acknowledged = await handler({ messageId: String(id), doorbell, attempt }).catch(() => false);
      if (acknowledged) {
        await write(() => acknowledge.run(id));
        return;
      }
      const pauseMs = Math.min(backoffLeastMs * 2 ** (attempt - 1), backoffMostMs);
      const dueMs = clock.nowMs() + pauseMs;
      await write(() => postpone.run(dueMs, id, attempt));
      lookBy(dueMs);
    }

    function pump(): void {
      isRung = true;
      if (!isTaking) void takeAll();
    }

    /** Takes what is there, and what comes meanwhile; comes back when more is due. */
    async function takeAll(): Promise<void> {
      isTaking = true;
      try {
        while ((isRung || isMore) && !stopped && underWay < concurrency) {
          isRung = false;
          for (const message of await takeVisible()) start(message);
        }
        if (underWay >= concurrency) isMore = true;
        else if (!stopped) lookAgain();
      } catch (error) {
        troubled(error);
        isMore = true;
        lookBy(clock.nowMs() + TROUBLE_PAUSE_MS);
      } finally {
        isTaking = false;
      }
    }

    async function takeVisible(): Promise<Taken[]> {
      const nowMs = clock.nowMs();
      let kept = 0;
      const choose = () => {
        // It may be run twice. Places are counted here: publishers may have taken some since the write was asked for.
        underWay -= kept;
        const places = concurrency - underWay;
        const rows = takeRows(nowMs, places);
        isMore = rows.length === places;
        kept = rows.length;
        underWay += kept;
        return rows;
      };
      const rows = await write(choose).catch((error: unknown) => {
        underWay -= kept;
        throw error;
      });
      const dead = rows.filter(({ deliveries }) => deliveries >= deliveriesMost);
      for (const { id, deliveries } of dead) log('error', 'doorbell-dead', { message_id: id, deliveries });
      underWay -= dead.length;
      return rows
        .filter((row) => !dead.includes(row))
        .map(({ id, body, deliveries }) => ({ id, doorbell: JSON.parse(body) as JobKey, attempt: deliveries + 1 }));
    }

    function lookAgain(): void {
      const next = (selectNext.get() as { at: number | null }).at;
      if (next !== null) lookBy(next);
    }

    /** Looks for messages then, if not before. */
    function lookBy(atMs: number): void {
      if (stopped || timerAtMs <= atMs) return;
      cancelTimer();
      timerAtMs = atMs;
      const look = () => {
        timerAtMs = Number.POSITIVE_INFINITY;
        pump();
      };
      cancelTimer = clock.setTimer(look, Math.min(Math.max(1, atMs - clock.nowMs()), LOOK_AGAIN_MS));
    }

    function start(message: Taken): void {
      void deliver(message).catch(troubled).finally(leave);
    }

    function leave(): void {
      underWay -= 1;
      if (isMore) pump();
    }

    function keepPlace() {
      if (stopped || isMore || underWay >= concurrency) {
        isMore = true;
        return undefined;
      }
      underWay += 1;
      return {
        giveUp: leave,
        deliver(message: Taken) {
          lookBy(clock.nowMs() + ackDeadlineMs);
          start(message);
        },
      };
    }

    /** A full disk: what could not be written is delivered again after the acknowledgement deadline. */
    function troubled(error: unknown): void {
      log('error', 'queue-troubled', { error: describeError(error) });
    }

    consumer = { pump, keepPlace };
    pump();
    return () => {
      stopped = true;
      cancelTimer();
    };
  }

  /** Within a write. */
  function takeRows(nowMs: number, limit: number): Row[] {
    return inSavepoint(database, () => {
      const visible = selectVisible.all(nowMs, limit) as Row[];
      for (const { id, deliveries } of visible) {
        if (deliveries < deliveriesMost) take.run(nowMs + ackDeadlineMs, id);
        else {
          bury.run(nowMs, id);
          acknowledge.run(id);
        }
      }
      return visible;
    });
  }

  return {
    async publish({ tenant, id: jobId }) {
      const doorbell = { tenant, id: jobId };
      const nowMs = clock.nowMs();
      // With a place free it is in the file as taken already, which saves the statements and the commit that would take it.
      // Measured: 1.0 commits a message in place of 3.0 one after the other, 0.04 in place of 0.09 with 50 at once.
      const place = consumer?.keepPlace();
      const taken = [nowMs + ackDeadlineMs, 1];
      const values = [JSON.stringify(doorbell), nowMs, ...(place ? taken : [nowMs, 0])];
      try {
        const id = await write(() => Number(insert.run(...values).lastInsertRowid));
        // Not within the publisher's own turn: delivering is somebody else's work.
        clock.setTimer(() => (place ? place.deliver({ id, doorbell, attempt: 1 }) : consumer?.pump()), 0);
      } catch (cause) {
        place?.giveUp();
        throw new ServiceError('store_unavailable', 'The doorbell was not published.', { cause });
      }
    },
    consume,
    deadLetters: () => (selectDead.all() as { body: string }[]).map(({ body }) => JSON.parse(body) as JobKey),
  };
}
