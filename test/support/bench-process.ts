/** `npm run bench` as a process. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Runs it with these words; how it ended, and what it said. */
export async function runBench(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const args = ['--import', 'tsx', join(ROOT, 'test/bench/run.ts'), ...words];
  const child = spawn(process.execPath, args, { cwd: ROOT });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}
