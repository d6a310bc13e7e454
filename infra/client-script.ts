/** The client as one small module: what `/client.js` serves. What is bundled holds its text, and needs no `dist/` beside it. */
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const CLIENT = join(import.meta.dirname, '..', 'shared', 'client', 'client.ts');

/** Its text, made from the sources. */
export async function buildClientScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [CLIENT],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}

/** Puts that text in place of the module that reads it from `dist/`. */
export const clientScriptInside: Plugin = {
  name: 'client-script',
  setup({ onLoad }) {
    onLoad({ filter: /\/shared\/http\/client-script-text\.ts$/ }, async () => ({
      contents: `export const readClientScript = async () => ${JSON.stringify(await buildClientScript())};`,
    }));
  },
};
