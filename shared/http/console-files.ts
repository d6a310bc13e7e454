/** The files of the console. In a bundle another module is in the place of this one, which has them inside. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** By their names, as they were built into `.build/console-files/`; `undefined` where nothing was built. */
export async function readConsole(): Promise<Readonly<Record<string, string>> | undefined> {
  const folder = join(import.meta.dirname, '..', '..', '.build', 'console-files');
  try {
    const names = await readdir(folder);
    const files = names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const);
    return Object.fromEntries(await Promise.all(files));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
