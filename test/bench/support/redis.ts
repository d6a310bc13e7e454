/** A Redis server that keeps what it is told, for what ours is measured beside. */
import { spawnSync } from 'node:child_process';
import { freePort, startGroup, stopGroup, untilListening } from '../../../infra/child-processes.ts';

export type DurableRedis = { url: string; pid: number; stop(): Promise<void> };

/** Is there a `redis-server` on this machine? */
export const hasRedis = (): boolean => spawnSync('redis-server', ['--version']).status === 0;

/**
 * With an append-only file in `folder`, which reaches the disk each second, or before each answer. No snapshots beside it:
 * they would cost the server more. Never evicts, as BullMQ needs it.
 */
export async function startDurableRedis(folder: string, appendfsync: 'everysec' | 'always'): Promise<DurableRedis> {
  const port = await freePort();
  const durable = ['--appendonly', 'yes', '--appendfsync', appendfsync, '--save', '', '--dir', folder];
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--maxmemory-policy', 'noeviction', ...durable];
  const child = startGroup('redis-server', args, { stdio: 'ignore' });
  await untilListening(port, child, 10_000);
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid ?? 0, stop: () => stopGroup(child) };
}
