/** The floor's functions as bundles, made as ours are. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { BUILD_FOLDER, FOR_THE_FRAMEWORK } from '../../../infra/bundle.ts';

const FOLDER = join(BUILD_FOLDER, 'bench', 'floor');

export const FLOOR_FUNCTIONS = ['submit', 'worker', 'status'] as const;

/** The folder of one, as functions-framework's `--source` takes it. */
export function floorBundleOf(name: (typeof FLOOR_FUNCTIONS)[number]): string {
  return join(FOLDER, name);
}

/** Bundles all of them. */
export async function bundleFloor(): Promise<void> {
  await build({
    ...FOR_THE_FRAMEWORK,
    entryPoints: FLOOR_FUNCTIONS.map((name) => ({
      in: join(import.meta.dirname, `${name}.ts`),
      out: join(name, 'index'),
    })),
    outdir: FOLDER,
    sourcemap: true,
  });
  const manifest = JSON.stringify({ private: true, type: 'module', main: 'index.js' });
  for (const name of FLOOR_FUNCTIONS) {
    await mkdir(floorBundleOf(name), { recursive: true });
    await writeFile(join(floorBundleOf(name), 'package.json'), manifest);
  }
}
