/** `npm start` as a process that can be killed. */
import type { ChildProcess } from 'node:child_process';
import { startGroup } from '../../infra/child-processes.ts';
import { argumentsFor } from './programs.ts';

export type LocalProcess = { baseUrl: string; child: ChildProcess };

/**
 * Starts the service, the embedded one unless told otherwise, on `environment.PORT`, with options of Node's own; resolves when
 * it is healthy.
 */
export function startLocalProcess(
  environment: Record<string, string>,
  program = 'infra/local.ts',
  nodeOptions: readonly string[] = [],
): Promise<LocalProcess> {
  return startService(environment, process.execPath, [...nodeOptions, ...argumentsFor(program)]);
}

/** The very command that people type. */
export function npmStart(environment: Record<string, string>): Promise<LocalProcess> {
  return startService(environment, 'npm', ['start']);
}

async function startService(
  environment: Record<string, string>,
  command: string,
  args: string[],
): Promise<LocalProcess> {
  const child = startGroup(command, args, { env: { ...process.env, ...environment }, stdio: 'ignore' });
  const baseUrl = `http://127.0.0.1:${environment.PORT}`;
  for (let tries = 0; tries < 1_200; tries++) {
    const healthy = await fetch(`${baseUrl}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return { baseUrl, child };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the service did not become healthy');
}
