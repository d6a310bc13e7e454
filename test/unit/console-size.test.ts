/** What the console costs a page, and that it needs nobody but us: looked for in what is built. */
import { gzipSync } from 'node:zlib';
import { parseAst } from 'vite';
import { beforeAll, expect, test } from 'vitest';
import { consoleFiles } from '../../infra/console.ts';
import { leanReact } from '../../infra/console-react.ts';
import { IN_CONSOLE } from '../../infra/licences.ts';

const MOST_BYTES = 100_000;
let files: Record<string, string>;
beforeAll(async () => {
  files = await consoleFiles();
}, 30_000);

const page = () => files['index.html'] ?? '';
const scripts = () => Object.entries(files).filter(([name]) => name.endsWith('.js'));

test('all script together, gzipped, is under 100,000 bytes', () => {
  const sizes = scripts().map(([name, text]) => [name, gzipSync(text, { level: 9 }).length] as const);
  const bytes = sizes.reduce((sum, [, size]) => sum + size, 0);
  // Past the console, which is silent about tests that pass.
  process.stdout.write(`console: ${bytes} bytes of script gzipped, of ${MOST_BYTES}; ${sizes.length} files\n`);
  expect(bytes).toBeGreaterThan(40_000);
  expect(bytes).toBeLessThan(MOST_BYTES);
});

test('of React is left out what no page reaches, loudly; another React is looked at anew', () => {
  expect(scripts().filter(([, text]) => text.includes('Left out of React')).length).toBe(1);
  const { handler } = leanReact.transform as { handler: (this: object, code: string) => unknown };
  expect(() => handler.call({ parse: parseAst }, 'function preload() {}')).toThrow(
    /^React has changed: it has no (?!.*\bpreload,).*getResource/,
  );
});

test('the page names files of its own alone, each of which is there, and holds no script or style itself', () => {
  const named = [...page().matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url = '']) => url);
  const ours = named.filter((url) => url.startsWith('/console/')).map((url) => url.slice('/console/'.length));
  expect(named.filter((url) => !url.startsWith('/console/'))).toEqual(['data:,', '/docs']);
  expect(ours.some((name) => name.endsWith('.js')) && ours.some((name) => name.endsWith('.css'))).toBe(true);
  expect(ours.filter((name) => !(name in files))).toEqual([]);
  expect([...page().matchAll(/<script\b[^>]*>([^<]*)/g)].map(([, inside]) => inside)).toEqual(['']);
  expect(page()).not.toMatch(/<style\b|\sstyle=|\son\w+=|<base\b|<iframe\b|http-equiv/i);
});

test('the page has the licences of what is built into it', () => {
  expect(page()).toMatch(/<!--\n(react|react-dom|scheduler) .*\n\nMIT License\n\nCopyright \(c\) Meta[^<]*-->\n$/);
  for (const name of IN_CONSOLE) expect(page()).toMatch(new RegExp(`\\b${name} \\d`));
});

test('what a script loads later is one of the files, too', () => {
  const loaded = scripts().flatMap(([, text]) =>
    [...text.matchAll(/import\([`'"]([^`'"]+)/g)].map(([, path = '']) => path),
  );
  expect(loaded.filter((path) => !(path.replace(/^\.\//, '') in files))).toEqual([]);
});

/** Text that is never fetched: React's sentence on what went wrong, and the names of XML's kinds of elements. */
const ONLY_TEXT = [/^https:\/\/react\.dev\//, /^http:\/\/www\.w3\.org\//];

test('no other host is named, but in texts that are never fetched', () => {
  const urls = Object.values(files).flatMap((text) =>
    [...text.matchAll(/\b(?:https?|wss?):\/\/[^\s"'`)\\]+/g)].map(([url]) => url),
  );
  expect(urls.length).toBeGreaterThan(0);
  expect(urls.filter((url) => !ONLY_TEXT.some((text) => text.test(url)))).toEqual([]);
  const styles = Object.entries(files).filter(([name]) => name.endsWith('.css'));
  expect(styles.filter(([, text]) => /@import|url\(/.test(text))).toEqual([]);
});

test('nothing makes code of text, which its policy refuses', () => {
  expect(
    scripts()
      .filter(([, text]) => /\beval\(|new Function\(|document\.write/.test(text))
      .map(([name]) => name),
  ).toEqual([]);
});

test('the same sources make the same files, whose names are of what is in them', async () => {
  expect(await consoleFiles()).toEqual(files);
  const names = Object.keys(files).filter((name) => name !== 'index.html');
  expect(names.filter((name) => !/^[\w.-]+-[\w-]{8}\.(js|css)$/.test(name))).toEqual([]);
});
