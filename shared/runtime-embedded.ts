/** Everything in one process, on one SQLite file. A module of its own: what is deployed has no part of it. */
import { steadyClock } from './adapters/system-clock.ts';
import type { Config } from './config.ts';
import { describeError } from './core/errors.ts';
import type { JobKey } from './core/job.ts';
import { doorbellHandler, encodeDoorbell } from './http/push.ts';
import { assemble, type Runtime } from './runtime.ts';
import { logOf } from './runtime-log.ts';
import type { Shown, Stores } from './runtime-shared.ts';

/** Between two writes of a streamed job's text, where each costs a disk's patience. */
const EMBEDDED_FLUSH_MS = 10;

export type EmbeddedRuntime = Runtime & {
  /** Makes it the worker and the sweeper, too: nothing is called, or paid for, before. */
  start(): void;
  /** Takes no more jobs, lets those under way end for a while, and hands the others back. `close` does it, too. */
  drain(): Promise<void>;
  /** Brings the worker to a job once more. */
  ring(key: JobKey): Promise<void>;
};

type StoresAlone = Omit<Stores, keyof Shown | 'flushMs' | 'eventsTopic'>;

/**
 * On one SQLite file. Its start takes over every lease in the file: nobody else can hold one. Throws a sentence for
 * people when another process has the file open. `through`: what stands between the service and its stores.
 */
export async function embeddedRuntime(
  config: Config,
  log = logOf(config),
  shown: Shown = {},
  through = (stores: StoresAlone) => stores,
): Promise<EmbeddedRuntime> {
  const clock = steadyClock();
  const { sqliteFile } = await import('./runtime-sqlite.ts');
  const file = sqliteFile(config.databaseUrl, clock, log);
  const { queue } = file;

  let stopConsuming = () => {};
  let cancelSweep = () => {};
  let isStopping = false;
  const stores = { ...through(file.stores), flushMs: config.flushMs ?? EMBEDDED_FLUSH_MS, ...shown };
  const runtime = assemble(config, clock, log, stores, queue, async () => {
    await drain();
    file.close();
  });
  const handle = doorbellHandler({ run: runtime.worker.run, log, tracing: runtime.tracing });
  const sweepOften = () => {
    if (isStopping) return;
    cancelSweep = clock.setTimer(() => {
      purge();
      const swept = runtime
        .sweep()
        .catch((error: unknown) => log('error', 'sweep-failed', { error: describeError(error) }));
      void swept.then(sweepOften);
    }, config.sweepMs);
  };
  /** A full disk must not stop the sweeps. */
  function purge(): void {
    try {
      file.purge(clock.nowMs());
    } catch (error) {
      log('error', 'purge-failed', { error: describeError(error) });
    }
  }
  async function drain(): Promise<void> {
    isStopping = true;
    cancelSweep();
    stopConsuming();
    runtime.service.close();
    await runtime.worker.drain(config.drainMs);
  }
  return {
    ...runtime,
    drain,
    ring: queue.publish,
    start() {
      const takenOver = file.stores.store.endAllLeases();
      if (takenOver > 0) log('info', 'leases-taken-over', { jobs: takenOver });
      stopConsuming = queue.consume(
        ({ doorbell, messageId, attempt }) => handle(encodeDoorbell(doorbell, messageId, attempt)),
        config.workerConcurrency,
      );
      sweepOften();
    },
  };
}
