/** What the SQLite queue does beyond the port's contract: pauses, deadlines and restarts, on virtual time. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { type Delivery, type SqliteJobQueueOptions, sqliteJobQueue } from '../../shared/adapters/sqlite-job-queue.ts';
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts';

const KEY = { tenant: 'default', id: 'b1' };
const ACK_DEADLINE_MS = 100_000;

let clock: VirtualClock;
let database: ReturnType<typeof openDatabase>;
let lines: string[];
beforeEach(() => {
  clock = virtualClock(0);
  database = openDatabase(':memory:');
  lines = [];
});
afterEach(() => database.close());

function open(options: Partial<SqliteJobQueueOptions> = {}) {
  const log: SqliteJobQueueOptions['log'] = (severity, event) => lines.push(`${severity} ${event}`);
  return sqliteJobQueue(database, { clock, log, ackDeadlineMs: ACK_DEADLINE_MS, ...options });
}

const never = () => new Promise<boolean>(() => {});

test('a doorbell that is refused comes back after pauses that double up to the longest', async () => {
  const queue = open({ backoffLeastMs: 1_000, backoffMostMs: 8_000 });
  const atMs: number[] = [];
  const attempts: number[] = [];
  queue.consume(async ({ attempt }) => {
    atMs.push(clock.nowMs());
    attempts.push(attempt);
    return false;
  }, 1);
  await queue.publish(KEY);
  await clock.advance(31_000);
  expect(atMs).toEqual([0, 1_000, 3_000, 7_000, 15_000, 23_000, 31_000]);
  expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test('a doorbell without an answer comes back at the acknowledgement deadline, and not before', async () => {
  const queue = open();
  const atMs: number[] = [];
  queue.consume(() => {
    atMs.push(clock.nowMs());
    return atMs.length === 1 ? never() : Promise.resolve(true);
  }, 5);
  await queue.publish(KEY);
  await clock.advance(ACK_DEADLINE_MS - 1);
  expect(atMs).toEqual([0]);
  await clock.advance(10 * ACK_DEADLINE_MS);
  expect(atMs).toEqual([0, ACK_DEADLINE_MS]);
});

test('a refusal that comes after the deadline does not disturb the delivery that followed', async () => {
  const queue = open();
  const answers: ((acknowledged: boolean) => void)[] = [];
  queue.consume(() => new Promise((resolve) => void answers.push(resolve)), 5);
  await queue.publish(KEY);
  await clock.advance(ACK_DEADLINE_MS);
  expect(answers).toHaveLength(2);
  answers[0]?.(false);
  await clock.advance(ACK_DEADLINE_MS / 2);
  // The first one's refusal would have brought it back after a second.
  expect(answers).toHaveLength(2);
  answers[1]?.(true);
  await clock.advance(10 * ACK_DEADLINE_MS);
  expect(answers).toHaveLength(2);
});

test('as many deliveries are under way as asked for, and the next begins when one ends', async () => {
  const queue = open();
  const answers: (() => void)[] = [];
  queue.consume(() => new Promise((resolve) => void answers.push(() => resolve(true))), 3);
  for (let n = 0; n < 7; n++) await queue.publish({ ...KEY, id: `b${n}` });
  await clock.advance(1);
  expect(answers).toHaveLength(3);
  answers[1]?.();
  await clock.advance(1);
  expect(answers).toHaveLength(4);
  for (const answer of answers) answer();
  await clock.advance(1);
  expect(answers).toHaveLength(7);
});

test('a dead doorbell is logged, kept through a restart, and never delivered again', async () => {
  const queue = open({ deliveriesMost: 3 });
  let deliveries = 0;
  const refuse = async () => {
    deliveries += 1;
    return false;
  };
  const stop = queue.consume(refuse, 5);
  await queue.publish(KEY);
  await clock.advance(60_000);
  expect(deliveries).toBe(3);
  expect(queue.deadLetters()).toEqual([KEY]);
  expect(lines).toEqual(['error doorbell-dead']);
  stop();
  const next = open({ deliveriesMost: 3 });
  next.consume(refuse, 5);
  await clock.advance(10 * ACK_DEADLINE_MS);
  expect(deliveries).toBe(3);
  expect(next.deadLetters()).toEqual([KEY]);
});

test('a dead doorbell does not hold up those that wait behind it', async () => {
  const queue = open({ deliveriesMost: 1 });
  for (const id of ['dead', 'next', 'last']) await queue.publish({ ...KEY, id });
  database.exec(`UPDATE messages SET deliveries = 1 WHERE body LIKE '%dead%'`);
  const taken: string[] = [];
  queue.consume(async ({ doorbell }) => taken.push(doorbell.id) > 0, 1);
  await clock.advance(1);
  expect(taken).toEqual(['next', 'last']);
  expect(queue.deadLetters()).toEqual([{ ...KEY, id: 'dead' }]);
});

test('a doorbell that finds a place needs no second write to be delivered; one that finds none waits for its turn', async () => {
  const queue = open();
  const answers: (() => void)[] = [];
  queue.consume(() => new Promise((resolve) => void answers.push(() => resolve(true))), 2);
  await clock.advance(1);
  database.exec(`CREATE TRIGGER taking BEFORE UPDATE ON messages BEGIN SELECT RAISE(FAIL, 'no second write'); END`);
  for (let n = 0; n < 3; n++) await queue.publish({ ...KEY, id: `b${n}` });
  await clock.advance(1);
  expect(answers).toHaveLength(2);
  expect(database.prepare('SELECT deliveries FROM messages ORDER BY id').pluck().all()).toEqual([1, 1, 0]);
  database.exec('DROP TRIGGER taking');
  answers[0]?.();
  await clock.advance(1);
  expect(answers).toHaveLength(3);
});

describe('when the process ends,', () => {
  test('what was under way, paused or not delivered yet comes to the next one at once, with its number', async () => {
    const queue = open();
    const stop = queue.consume(({ doorbell }) => (doorbell.id === 'refused' ? Promise.resolve(false) : never()), 2);
    for (const id of ['refused', 'under way', 'also', 'waiting']) await queue.publish({ ...KEY, id });
    await clock.advance(500);
    stop();
    const taken: Delivery[] = [];
    open().consume(async (delivery) => {
      taken.push(delivery);
      return true;
    }, 10);
    await clock.advance(1);
    const numbers = Object.fromEntries(taken.map(({ doorbell, attempt }) => [doorbell.id, attempt]));
    expect(numbers).toEqual({ refused: 2, 'under way': 2, also: 2, waiting: 1 });
  });

  test('an answer that comes after its consumer was stopped still counts', async () => {
    const queue = open();
    const answers: ((acknowledged: boolean) => void)[] = [];
    const stop = queue.consume(() => new Promise((resolve) => void answers.push(resolve)), 1);
    await queue.publish(KEY);
    await clock.advance(1);
    stop();
    answers[0]?.(true);
    await clock.advance(1);
    let taken = 0;
    open().consume(async () => ++taken > 0, 1);
    await clock.advance(1);
    expect(taken).toBe(0);
  });
});

describe('on a full disk', () => {
  /** As the disk would: the statement fails, the database goes on. */
  const failOn = (action: 'INSERT' | 'UPDATE' | 'DELETE') =>
    database.exec(`CREATE TRIGGER full BEFORE ${action} ON messages BEGIN SELECT RAISE(FAIL, 'disk is full'); END`);

  test('a publish says that the store gave no answer', async () => {
    const queue = open();
    failOn('INSERT');
    await expect(queue.publish(KEY)).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test.each([
    ['acknowledged', 'DELETE', true],
    ['postponed', 'UPDATE', false],
  ] as const)('a doorbell that cannot be %s comes again, and the process lives', async (_, action, acknowledged) => {
    const rejections = await collectRejections(async () => {
      const queue = open();
      let deliveries = 0;
      queue.consume(async () => {
        // Taking a doorbell is an update, too: the disk fills up in the middle.
        if (++deliveries === 1) failOn(action);
        return deliveries > 1 || acknowledged;
      }, 1);
      await queue.publish(KEY);
      await clock.advance(1);
      expect(deliveries).toBe(1);
      database.exec('DROP TRIGGER full');
      await clock.advance(2 * ACK_DEADLINE_MS);
      expect(deliveries).toBe(2);
    });
    expect(rejections).toEqual([]);
  });
});

/** What would have ended the process: rejections that nobody handles. */
async function collectRejections(act: () => Promise<void>): Promise<string[]> {
  const others = process.listeners('unhandledRejection');
  const seen: string[] = [];
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => seen.push(String(reason)));
  try {
    await act();
    await new Promise((resolve) => setImmediate(resolve));
    return seen;
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const listener of others) process.on('unhandledRejection', listener);
  }
}
