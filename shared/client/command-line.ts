#!/usr/bin/env node
/** `npx llm-jobs`: runs as soon as it is loaded, for a bin is a link with another name. */
import { readFileSync } from 'node:fs';
import { runCommand } from './commands.ts';

/** What the nearest package.json that has a version says. */
function versionAbove(folder: URL): string {
  try {
    const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
    if (typeof version === 'string') return version;
  } catch {
    // There need not be one here.
  }
  const above = new URL('..', folder);
  return above.href === folder.href ? 'unknown' : versionAbove(above);
}

const { stdin, stdout, stderr, env: environment } = process;
stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // Whoever read has gone (`| head`), and there is nobody to work for.
  if (code === 'EPIPE') process.exit();
  // A disk that is full must not look like a job that failed.
  stderr.write(`Standard output cannot be written: ${message}.\n`, () => process.exit(74));
});
// What goes there is beside the result, which still has its reader.
stderr.on('error', () => {});

const ending = new AbortController();
// Each once: the second one ends the program there and then.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ending.abort(name));

const version = versionAbove(new URL('.', import.meta.url));
const world = { stdin, stdout, stderr, environment, fetch, version, signal: ending.signal };
const code = await runCommand(process.argv.slice(2), world).catch((error: unknown) => {
  // A mistake of ours must not look like a job that failed.
  console.error(error);
  return 70;
});
// The number that shells know for it.
process.exitCode = ending.signal.reason === 'SIGTERM' ? 143 : code;
