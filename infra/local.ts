/**
 * `npm start`: the whole service in one process on one SQLite file. No cloud, no Java, no key.
 */
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { publicApp, READS, WRITES } from '../functions/surfaces/mount.ts';
import { type Config, ConfigError, readConfig } from '../shared/config.ts';
import { embeddedRuntime } from '../shared/runtime.ts';
import { nextSteps } from './next-steps.ts';

/** A running service; `close` lets answers under way go out and leaves jobs under way to the next start. */
export type LocalService = { baseUrl: string; close(): Promise<void> };

/** Starts the embedded service and resolves when it listens. */
export async function startLocal(config: Config): Promise<LocalService> {
  const runtime = await embeddedRuntime(config);
  const app = publicApp(runtime, [...READS, ...WRITES]);
  const server = serve({ fetch: app.fetch, port: config.port, hostname: config.host, overrideGlobalObjects: false });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://${config.host}:${port}`,
    async close() {
      if ('closeIdleConnections' in server) server.closeIdleConnections();
      await new Promise((resolve) => server.close(resolve));
      await runtime.close();
    },
  };
}

async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const config = readConfig();
  const service = await startLocal(config);
  console.log(nextSteps(service.baseUrl, `jobs are kept in ${config.databaseUrl}`));
  const stop = () => {
    // A second Ctrl-C, or a connection that does not end, must not hold the process.
    process.once('SIGINT', () => process.exit(130));
    setTimeout(() => process.exit(0), 2_000).unref();
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

function explain(error: unknown): unknown {
  if (error instanceof ConfigError) return error.message;
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `${error.message}. Set PORT to another port.`;
  return error.message.includes('DATABASE_URL') ? error.message : error;
}
