/**
 * `npm start`: the whole service in one process on one SQLite file. No cloud, no Java, no key.
 */
import { existsSync } from 'node:fs';
import { renderJob } from '../functions/surfaces/llm-jobs-view.ts';
import { publicApp } from '../functions/surfaces/mount.ts';
import { type Config, readConfig } from '../shared/config.ts';
import type { Log } from '../shared/core/ports.ts';
import { EVERYTHING } from '../shared/http/request-kind.ts';
import { logStray } from '../shared/http/stray-failures.ts';
import { embeddedRuntime } from '../shared/runtime.ts';
import { explain } from './explain.ts';
import { listen } from './listen.ts';
import { nextSteps } from './next-steps.ts';
import { onlyOwnNames } from './own-names.ts';

/** A running service; `close` lets answers and jobs under way end for a while, and leaves the others to the next start. */
export type LocalService = { baseUrl: string; log: Log; close(): Promise<void> };

/** Starts the embedded service and resolves when it listens. */
export async function startLocal(config: Config): Promise<LocalService> {
  const runtime = await embeddedRuntime(config, undefined, { renderJob });
  const { eventsTopic: topic } = config;
  if (topic !== undefined) runtime.log('warning', 'events-topic-ignored', { topic, why: 'there is no Pub/Sub here' });
  try {
    const { baseUrl, close } = await listen(onlyOwnNames(publicApp(runtime, EVERYTHING).fetch, config), config);
    // Only now: a start that fails must not have paid for calls.
    runtime.start();
    return {
      baseUrl,
      log: runtime.log,
      async close() {
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
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = readConfig();
  const service = await startLocal(config);
  const stray = logStray(service.log);
  process.on('unhandledRejection', stray).on('uncaughtException', stray);
  console.log(nextSteps(service.baseUrl, `jobs are kept in ${config.databaseUrl}`, config));
  const stop = () => {
    // A second Ctrl-C, or a connection that does not end, must not hold the process.
    process.once('SIGINT', () => process.exit(130));
    setTimeout(() => process.exit(0), config.drainMs + 2_000).unref();
    void service.close().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error: unknown) => {
    console.error(explain(error));
    process.exit(1);
  });
}
