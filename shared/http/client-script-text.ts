/** The text of `/client.js`. In a bundle another module is in the place of this one, which has the text inside. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As it was built into `dist/`; `undefined` where nothing was built. */
export async function readClientScript(): Promise<string | undefined> {
  const file = join(import.meta.dirname, '..', '..', 'dist', 'client.min.js');
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
