/** `npm run keys`, `npm run accounts`, `npm run redrive`: programs of operators, as processes. */
import { spawn } from 'node:child_process';
import { argumentsFor } from './programs.ts';

export type OperatorRun = { code: number | null; stdout: string; stderr: string };

export const runKeys = running('infra/keys.ts');
export const runAccounts = running('infra/accounts.ts');
export const runRedrive = running('infra/redrive.ts');

/** Runs a program with these words; `environment` says where its store is. */
function running(program: string) {
  return async (environment: Record<string, string>, ...words: string[]): Promise<OperatorRun> => {
    const child = spawn(process.execPath, [...argumentsFor(program), ...words], {
      // What it prints may be a key, which is not for the net that looks for keys.
      env: { ...process.env, KEPT_OUTPUT: '', FIRESTORE_EMULATOR_HOST: '', ...environment },
    });
    const run: OperatorRun = { code: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      run.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      run.stderr += text;
    });
    run.code = await new Promise((resolve) => child.once('close', resolve));
    return run;
  };
}

/** The table that such a program prints, cell by cell. */
export function rowsOf({ stdout }: OperatorRun): string[][] {
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => line.split(/ {2,}/));
}
