/**
 * Loaded before a process under measurement (`NODE_OPTIONS=--import`): the longest time for which its main thread computed
 * without a turn of its event loop. Counts the thread's own processor time alone, so that waiting for a processor that
 * others use is no stall. SIGUSR2 writes it to `STALLS_FOLDER`, as milliseconds, and begins anew, with its garbage collected:
 * what a process has then is what it needs.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const EVERY_MS = 2;
let longestMs = 0;
let beforeMs = ownMs();

/** The first field is nanoseconds on a processor, of the main thread. */
function ownMs() {
  return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[0]) / 1e6;
}

setInterval(() => {
  const now = ownMs();
  longestMs = Math.max(longestMs, now - beforeMs);
  beforeMs = now;
}, EVERY_MS).unref();

process.on('SIGUSR2', () => {
  const file = join(process.env.STALLS_FOLDER ?? '.', `${process.pid}`);
  writeFileSync(`${file}.part`, String(longestMs));
  collectGarbage();
  longestMs = 0;
  beforeMs = ownMs();
  renameSync(`${file}.part`, file);
});
