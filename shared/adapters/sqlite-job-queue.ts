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

export function sqliteJobQueue(database: Database.Database, options: SqliteJobQueueOptions): SqliteJobQueue {
  const { clock, log, write = writeAtOnce, ackDeadlineMs = 600_000, backoffLeastMs = 1_000 } = options;
  const { backoffMostMs = 600_000, deliveriesMost = 20 } = options;
  const insert = database.prepare('INSERT INTO messages (body, published_at, visible_at) VALUES (?, ?, ?)');
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

  let pump = () => {};

  function consume(handler: DeliveryHandler, concurrency: number): () => void {
    let underWay = 0;
    let stopped = false;
    let isTaking = false;
    let isRung = false;
    let cancelTimer = () => {};

    async function deliver(row: Row): Promise<void> {
      const attempt = row.deliveries + 1;
      const doorbell = JSON.parse(row.body) as JobKey;
      const acknowledged = await handler({ messageId: String(row.id), doorbell, attempt }).catch(() => false);
      const pauseMs = Math.min(backoffLeastMs * 2 ** (attempt - 1), backoffMostMs);
      const settled = acknowledged
        ? write(() => acknowledge.run(row.id))
        : write(() => postpone.run(clock.nowMs() + pauseMs, row.id, attempt));
      await settled;
    }

    pump = () => {
      isRung = true;
      if (!isTaking) void takeAll();
    };

    /** Takes what is there, and what comes meanwhile; comes back when more is due. */
    async function takeAll(): Promise<void> {
      isTaking = true;
      try {
        while (isRung && !stopped) {
          isRung = false;
          cancelTimer();
          for (const row of await takeVisible(concurrency - underWay)) start(row);
        }
        if (!stopped && underWay < concurrency) lookAgain();
      } catch (error) {
        troubled(error);
        cancelTimer = clock.setTimer(pump, TROUBLE_PAUSE_MS);
      } finally {
        isTaking = false;
      }
    }

    function lookAgain(): void {
      const next = (selectNext.get() as { at: number | null }).at;
      if (next === null) return;
      cancelTimer = clock.setTimer(pump, Math.min(Math.max(1, next - clock.nowMs()), LOOK_AGAIN_MS));
    }

    function start(row: Row): void {
      underWay += 1;
      void deliver(row)
        .catch(troubled)
        .finally(() => {
          underWay -= 1;
          pump();
        });
    }

    /** A full disk: what could not be written is delivered again after the acknowledgement deadline. */
    function troubled(error: unknown): void {
      log('error', 'queue-troubled', { error: describeError(error) });
    }

    pump();
    return () => {
      stopped = true;
      cancelTimer();
    };
  }

  async function takeVisible(limit: number): Promise<Row[]> {
    if (limit <= 0) return [];
    const nowMs = clock.nowMs();
    const rows = await write(() =>
      inSavepoint(database, () => {
        const visible = selectVisible.all(nowMs, limit) as Row[];
        for (const { id, deliveries } of visible) {
          if (deliveries < deliveriesMost) take.run(nowMs + ackDeadlineMs, id);
          else {
            bury.run(nowMs, id);
            acknowledge.run(id);
          }
        }
        return visible;
      }),
    );
    const isDead = ({ deliveries }: Row) => deliveries >= deliveriesMost;
    for (const { id, deliveries } of rows.filter(isDead)) {
      log('error', 'doorbell-dead', { message_id: id, deliveries });
    }
    return rows.filter((row) => !isDead(row));
  }

  return {
    async publish(doorbell) {
      const nowMs = clock.nowMs();
      try {
        const body = JSON.stringify({ tenant: doorbell.tenant, id: doorbell.id });
        await write(() => insert.run(body, nowMs, nowMs));
      } catch (cause) {
        throw new ServiceError('store_unavailable', 'The doorbell was not published.', { cause });
      }
      // Not within the publisher's own turn: delivering is somebody else's work.
      clock.setTimer(() => pump(), 0);
    },
    consume,
    deadLetters: () => (selectDead.all() as { body: string }[]).map(({ body }) => JSON.parse(body) as JobKey),
  };
}
