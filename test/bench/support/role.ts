/**
 * A process of its own for each role of a benchmark (provider, load, a floor's functions, a peer), so that what each uses
 * can be counted, and none waits for another's event loop. Parent and child ask each other over Node's IPC.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export type Role = {
  pid: number;
  /** Asks the child to do something that it serves; rejects with what went wrong there. */
  ask<T>(name: string, given?: unknown): Promise<T>;
  stop(): Promise<void>;
};

type Ask = { ask: number; name: string; given: unknown };
type Told = { told: number; answer?: unknown; error?: string };

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts `roles/<name>.ts`, and resolves when it serves. */
export async function startRole(name: string, environment: Record<string, string> = {}): Promise<Role> {
  const { BENCH_CPU_PROF: folder } = process.env;
  const child = fork(join(import.meta.dirname, '../roles', `${name}.ts`), {
    execArgv: ['--expose-gc', '--import', 'tsx', ...(folder ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [])],
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  running.add(child);
  const ended = once(child, 'exit').then(() => running.delete(child));
  const waiting = new Map<number, (told: Told) => void>();
  let asked = 0;
  let isOver = false;
  child.on('message', (told: Told) => waiting.get(told.told)?.(told));
  void ended.then(() => {
    isOver = true;
    for (const [told, tell] of waiting) tell({ told, error: `the process of ${name} ended` });
  });

  async function ask<T>(what: string, given?: unknown): Promise<T> {
    if (isOver) throw new Error(`the process of ${name} ended`);
    const id = asked++;
    const told = new Promise<Told>((resolve) => waiting.set(id, resolve));
    child.send({ ask: id, name: what, given } satisfies Ask);
    const { answer, error } = await told;
    waiting.delete(id);
    if (error !== undefined) throw new Error(error);
    return answer as T;
  }

  await ask('ready');
  return {
    pid: child.pid ?? 0,
    ask,
    async stop() {
      if (!isOver) child.send({ ask: -1, name: 'stop', given: null } satisfies Ask);
      await ended;
    },
  };
}

/** The child's side: what its parent may ask of it, by name. `stop` is asked last; the process ends then. */
export function serveRole(served: Record<string, (given: never) => unknown>, stop = async () => {}): void {
  process.on('message', async ({ ask: told, name, given }: Ask) => {
    if (name === 'stop') {
      await stop();
      process.exit(0);
    }
    try {
      const answer = name === 'ready' ? undefined : await served[name]?.(given as never);
      process.send?.({ told, answer } satisfies Told);
    } catch (error) {
      process.send?.({ told, error: String((error as Error).stack ?? error) } satisfies Told);
    }
  });
  // A parent that is gone wants nothing any more.
  process.on('disconnect', () => process.exit(0));
}
