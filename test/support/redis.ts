/** A Redis server of a test's own, which keeps nothing and can be killed, held and started again. */
import type { ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { afterAll, describe, inject } from 'vitest';
import { freePort, startGroup, stopGroup, untilListening } from '../../infra/child-processes.ts';

/** `describe`, skipped where there is no `redis-server`. */
export const describeOnRedis = describe.skipIf(!inject('hasRedis'));

export type RedisServer = {
  url: string;
  port: number;
  /** It is gone, and its port refuses. */
  kill(): Promise<void>;
  /** Starts again on the same port, empty. */
  start(): Promise<void>;
  /** It takes connections and commands, and answers nothing. */
  hold(): void;
  release(): void;
  stop(): Promise<void>;
};

const servers: RedisServer[] = [];
// A test that fails does not come to its own stop.
afterAll(() => Promise.all(servers.map((server) => server.stop())));

export async function startRedis(...more: string[]): Promise<RedisServer> {
  const port = await freePort();
  let child = await start();

  async function start(): Promise<ChildProcess> {
    const keepNothing = ['--save', '', '--appendonly', 'no'];
    const args = ['--port', String(port), '--bind', '127.0.0.1', ...keepNothing, ...more];
    const started = startGroup('redis-server', args, { stdio: 'ignore', cwd: tmpdir() });
    await untilListening(port, started, 10_000);
    return started;
  }

  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    port,
    async kill() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    },
    async start() {
      child = await start();
    },
    hold: () => void child.kill('SIGSTOP'),
    release: () => void child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGCONT');
      await stopGroup(child);
    },
  };
  servers.push(server);
  return server;
}
