/** A bundle under functions-framework that is expected to end by itself. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

const main = createRequire(import.meta.url)
  .resolve('@google-cloud/functions-framework')
  .replace(/index\.js$/, 'main.js');

/** Starts it with these settings alone, and answers how it ended and all that it printed. */
export async function runToEnd(
  source: string,
  target: string,
  environment: Record<string, string>,
  more: readonly string[] = [],
): Promise<{ code: number | null; output: string }> {
  const args = ['--enable-source-maps', main, `--source=${source}`, `--target=${target}`, '--port=0', ...more];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, METADATA_SERVER_DETECTION: 'none', ...environment },
    timeout: 30_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
