/**
 * Builds the console: one page with its scripts and styles. An installation puts it into `.build/console-files/`, where `npm start`
 * finds it; what is bundled holds its files, and needs no folder beside it.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { leanReact } from './console-react.ts';
import { IN_CONSOLE, licensed, lockedPackages, noticesOf } from './licences.ts';

const ROOT = join(import.meta.dirname, '..');
const SOURCES = join(ROOT, 'functions', 'console');
const CONSOLE_FOLDER = join(ROOT, '.build', 'console-files');

/** Its files, by their names: the texts are made from the sources. */
export async function consoleFiles(): Promise<Record<string, string>> {
  // It takes a while to load, and is needed here alone.
  const { build } = await import('vite');
  const built = await build({
    configFile: false,
    root: SOURCES,
    base: '/console/',
    publicDir: false,
    logLevel: 'warn',
    // Whatever `NODE_ENV` is where it is built: React for development is twice as large, and slower.
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [leanReact, { name: 'licences', transformIndexHtml: withLicences }],
    oxc: { jsx: { runtime: 'automatic', development: false } },
    build: {
      write: false,
      assetsDir: '',
      // Styles and pictures that stood in the page itself would be refused by its policy.
      assetsInlineLimit: 0,
      modulePreload: false,
      cssCodeSplit: false,
      target: 'es2022',
      rolldownOptions: { checks: { pluginTimings: false } },
    },
  });
  const { output } = [built].flat()[0] as {
    output: { fileName: string; code?: string; source?: string | Uint8Array }[];
  };
  return Object.fromEntries(output.map(({ fileName, code, source = '' }) => [fileName, code ?? source.toString()]));
}

/** Whoever has the console has the licences of what is built into it. */
async function withLicences(page: string): Promise<string> {
  const inside = licensed(await lockedPackages()).filter(({ name }) => IN_CONSOLE.includes(name));
  return `${page.trimEnd()}\n<!--\n${await noticesOf(inside)}-->\n`;
}

/** Writes them; whoever reads them meanwhile finds all that its page names. */
export async function buildConsole(folder = CONSOLE_FOLDER): Promise<void> {
  const files = await consoleFiles();
  await mkdir(folder, { recursive: true });
  const { 'index.html': page = '', ...others } = files;
  await Promise.all(Object.entries(others).map(([name, text]) => writeFile(join(folder, name), text)));
  await writeFile(join(folder, 'index.html'), page);
  const old = (await readdir(folder)).filter((name) => !(name in files));
  await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
}

let built: Promise<Record<string, string>> | undefined;

/** Puts them in place of the module that reads them from `.build/console-files/`. */
export const consoleInside: Plugin = {
  name: 'console',
  setup({ onLoad }) {
    onLoad({ filter: /\/shared\/http\/console-files\.ts$/ }, async () => {
      built ??= consoleFiles();
      return { contents: `export const readConsole = async () => (${JSON.stringify(await built)});` };
    });
  },
};
