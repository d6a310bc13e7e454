/** Looks for a Redis server once for all tests that need one, or says that there is none. */
import { spawnSync } from 'node:child_process';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    hasRedis: boolean;
  }
}

export default function setup(project: TestProject): void {
  const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
  if (!hasRedis) console.warn('\nNOT RUN: the Redis tests. They need the `redis-server` command (Redis 5 or newer).\n');
  project.provide('hasRedis', hasRedis);
}
