/** Pages of React components, which import this package by its name. */
import { join } from 'node:path';
import { build } from 'esbuild';

const CLIENT = join(import.meta.dirname, '..', '..', 'shared', 'client');

/** A page of one script, in a folder whose files it may import. In `development` React's Strict Mode is strict. */
export async function reactPage(
  script: string,
  folder: string,
  mode: 'development' | 'production' = 'production',
): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: folder, loader: 'jsx' },
    ...{ bundle: true, write: false, format: 'iife', platform: 'browser', minify: true, logLevel: 'error' },
    alias: { 'llm-jobs/client': join(CLIENT, 'client.ts'), 'llm-jobs/react': join(CLIENT, 'react.ts') },
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
  });
  const head = '<meta charset="utf-8"><title>A page with React</title>';
  return `<!doctype html>${head}<div id="root"></div><script>${outputFiles[0]?.text ?? ''}</script>`;
}
