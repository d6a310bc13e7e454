/** `npm run keys` as a process. */
import { spawn } from 'node:child_process';

export type KeysRun = { code: number | null; stdout: string; stderr: string };

/** Runs it with these words; `environment` says where the keys are. */
export async function runKeys(environment: Record<string, string>, ...words: string[]): Promise<KeysRun> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'infra/keys.ts', ...words], {
    // What it prints is the key, which is not for the net that looks for keys.
    env: { ...process.env, KEPT_OUTPUT: '', FIRESTORE_EMULATOR_HOST: '', ...environment },
  });
  const run: KeysRun = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    run.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    run.stderr += text;
  });
  run.code = await new Promise((resolve) => child.once('close', resolve));
  return run;
}
