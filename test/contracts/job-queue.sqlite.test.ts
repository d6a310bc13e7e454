/**
 * `JobQueue` on SQLite. A restart is a new queue on the same database: libsql keeps a closed file open until its
 * statements are collected. That a real process may die is shown by `test/embedded/`.
 */
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { sqliteJobQueue } from '../../shared/adapters/sqlite-job-queue.ts';
import { groupedWrites } from '../../shared/adapters/sqlite-writes.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { DELIVERIES_MOST, jobQueueContract } from './job-queue.ts';

const contractOf = (name: string, isGrouped: boolean) =>
  jobQueueContract(name, async () => {
    const database = openDatabase(':memory:');
    const { write, end } = groupedWrites(database);
    const start = () =>
      sqliteJobQueue(database, {
        clock: systemClock(),
        log: () => {},
        ...(isGrouped ? { write } : {}),
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
        end();
        database.close();
      },
    };
  });

contractOf('SQLite', false);
contractOf('SQLite, writes grouped', true);
