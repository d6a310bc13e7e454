/** `npm start` as a process that can be killed. */
import type { ChildProcess } from 'node:child_process';
import { startGroup } from '../../infra/child-processes.ts';

export type LocalProcess = { baseUrl: string; child: ChildProcess };

/** Starts the embedded service on `environment.PORT` and resolves when it is healthy. */
export async function startLocalProcess(environment: Record<string, string>): Promise<LocalProcess> {
  const child = startGroup(process.execPath, ['--import', 'tsx', 'infra/local.ts'], {
    env: { ...process.env, ...environment },
    stdio: 'ignore',
  });
  const baseUrl = `http://127.0.0.1:${environment.PORT}`;
  for (let tries = 0; tries < 300; tries++) {
    const healthy = await fetch(`${baseUrl}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return { baseUrl, child };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the service did not become healthy');
}
