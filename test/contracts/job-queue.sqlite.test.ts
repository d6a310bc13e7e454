/**
 * `JobQueue` on SQLite. A restart is a new queue on the same database: libsql keeps a closed file open until its
 * statements are collected. That a real process may die is shown by `test/embedded/`.
 */
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobQueue } from '../../shared/adapters/sqlite-job-queue.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { DELIVERIES_MOST, jobQueueContract } from './job-queue.ts';

jobQueueContract('SQLite', async () => {
  const database = openDatabase(':memory:');
  const start = () =>
    sqliteJobQueue(database, {
      clock: systemClock(),
      log: () => {},
      backoffLeastMs: 100,
      deliveriesMost: DELIVERIES_MOST,
    });
  let queue = start();
  let stop = () => {};
  return {
    queue: { publish: (doorbell) => queue.publish(doorbell) },
    async consume(take) {
      stop = queue.consume(({ doorbell }) => take(doorbell), 10);
    },
    async restart() {
      stop();
      queue = start();
    },
    deadLetters: async () => queue.deadLetters(),
    async close() {
      stop();
      database.close();
    },
  };
});
