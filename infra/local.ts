/**
 * The whole service in one process on one SQLite file, as `npm start` starts it: no cloud, no Java, no key.
 */
import { existsSync } from 'node:fs';
import { renderJob } from '../functions/surfaces/llm-jobs-view.ts';
import { publicApp } from '../functions/surfaces/mount.ts';
import { type Config, readConfig } from '../shared/config.ts';
import type { Log } from '../shared/core/ports.ts';
import { EVERYTHING } from '../shared/http/request-kind.ts';
import { logStray } from '../shared/http/stray-failures.ts';
import { embeddedRuntime } from '../shared/runtime-embedded.ts';
import { logOf } from '../shared/runtime-log.ts';
import { withBreakIt } from './break-it.ts';
import { type EmbeddedBreakIt, embeddedBreakIt } from './break-it-embedded.ts';
import { explain } from './explain.ts';
import { listen } from './listen.ts';
import { nextSteps } from './next-steps.ts';
import { isForThisMachine, onlyOwnNames } from './own-names.ts';
import { supervisorOf } from './supervised.ts';

/** A running service; `close` lets answers and jobs under way end for a while, and leaves the others to the next start. */
export type LocalService = { baseUrl: string; log: Log; close(): Promise<void> };

/** Starts the embedded service and resolves when it listens; with `breakIt`, it can be broken. */
export async function startLocal(settings: Config, breakIt?: EmbeddedBreakIt): Promise<LocalService> {
  const { config = settings, gate, counted = (log: Log) => log } = breakIt ?? {};
  const runtime = await embeddedRuntime(config, counted(logOf(config)), { renderJob }, gate?.before);
  const { eventsTopic: topic } = config;
  if (topic !== undefined) runtime.log('warning', 'events-topic-ignored', { topic, why: 'there is no Pub/Sub here' });
  try {
    const { fetch } = publicApp(runtime, EVERYTHING);
    const answered = breakIt ? withBreakIt(fetch, breakIt.fetch) : fetch;
    const { baseUrl, close } = await listen(onlyOwnNames(answered, config), config);
    // Only now: a start that fails must not have paid for calls.
    runtime.start();
    breakIt?.obey(runtime.ring);
    return {
      baseUrl,
      log: runtime.log,
      async close() {
        breakIt?.close();
        await Promise.all([close(), runtime.drain()]);
        await runtime.close();
      },
    };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

async function main(): Promise<void> {
  // Where nobody reads the lines any more (`npm start | head`), a line about that would be one more that fails.
  process.stdout.on('error', () => {});
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = readConfig();
  const supervisor = supervisorOf(process.argv);
  let service: LocalService | undefined;
  let isStopping = false;
  const stop = () => {
    if (isStopping) return;
    if (!service) process.exit(0);
    isStopping = true;
    setTimeout(() => process.exit(0), config.drainMs + 2_000).unref();
    void service.close().then(() => process.exit(0));
  };
  supervisor?.onOrder(({ order }) => {
    if (order === 'stop') stop();
  });
  const breakIt = supervisor && isForThisMachine(config) ? embeddedBreakIt(config, supervisor) : undefined;
  service = await startLocal(config, breakIt);
  const stray = logStray(service.log);
  process.on('unhandledRejection', stray).on('uncaughtException', stray);
  console.log(nextSteps(service.baseUrl, `jobs are kept in ${config.databaseUrl}`, config));
  let interrupts = 0;
  process.on('SIGINT', () => {
    // A second Ctrl-C, or a connection that does not end, must not hold the process.
    if (interrupts++ > 0) process.exit(130);
    stop();
  });
  process.once('SIGTERM', stop);
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error: unknown) => {
    console.error(explain(error));
    process.exit(1);
  });
}
