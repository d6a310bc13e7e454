/** Child processes in groups of their own that never outlive this process, and ports to put them on. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { createConnection, createServer } from 'node:net';

/** Whoever leaves, by whatever way but SIGKILL, takes these along. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

/** Starts a command as the leader of a process group, so that what it starts itself can be ended with it. */
export function startGroup(command: string, args: string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, { ...options, detached: true });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Ends a process and all that it started: politely, then, after two seconds, for good. */
export function stopGroup(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), 2_000);
    child.once('exit', () => {
      clearTimeout(timer);
      signalGroup(child, 'SIGKILL');
      resolve();
    });
    signalGroup(child, 'SIGTERM');
    // One that is stopped hears nothing.
    signalGroup(child, 'SIGCONT');
  });
}

/** Sends a signal to a process and all that it started; one that is gone already is none to complain about. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** Does nobody listen on this port? */
export async function isFree(port: number): Promise<boolean> {
  return !(await canConnect(port));
}

/** Resolves when something listens on the port; rejects when the process dies first or the time is over. */
export async function untilListening(port: number, child: ChildProcess, patienceMs: number): Promise<void> {
  const until = Date.now() + patienceMs;
  while (!(await canConnect(port))) {
    if (hasEnded(child)) throw new Error(`${child.spawnfile} ended with ${child.exitCode ?? child.signalCode}`);
    if (Date.now() > until) throw new Error(`${child.spawnfile} did not listen on ${port} within ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
