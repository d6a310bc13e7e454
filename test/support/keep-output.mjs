/**
 * Loaded into every process of a test run before its own code (`--import`): what it writes to standard output and standard
 * error also goes to a file of its own in `KEPT_OUTPUT`, for `canaries.ts` to look through. The product knows nothing of it.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env.KEPT_OUTPUT;

function keep(stream) {
  const file = join(folder, `${process.pid}-${stream.fd === 2 ? 'stderr' : 'stdout'}.log`);
  const plain = stream.write;
  let descriptor;
  stream.write = function write(chunk, ...rest) {
    try {
      // Opened when there is something to write: most processes say nothing.
      descriptor ??= openSync(file, 'a');
      writeSync(descriptor, typeof chunk === 'string' ? chunk : Buffer.from(chunk));
    } catch {
      // The run is over, and its folder is gone.
    }
    return plain.call(this, chunk, ...rest);
  };
}

if (folder) for (const stream of [process.stdout, process.stderr]) keep(stream);
