/** What the READMEs say is shown by a test is shown by one that is there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const testsIn = (text: string) => [...text.matchAll(/\btest\/[\w./-]+\.ts\b/g)].map(([path]) => path);

test.each(['README.md', 'functions/README.md', 'infra/README.md'])('every test that %s names is there', (file) => {
  const named = testsIn(read(file));
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('each threat, and each line of the OWASP list, names the test that shows what is said', () => {
  const [, section = ''] = /\n## Security\n([\s\S]*?)\n## /.exec(read('README.md')) ?? [];
  const threats = tableIn(section, '| asset |');
  const owasp = tableIn(read('functions/README.md'), '| OWASP ');
  expect(threats.length).toBeGreaterThanOrEqual(12);
  expect(owasp.map((row) => Number(/^\| (\d+) /.exec(row)?.[1]))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const row of [...threats, ...owasp]) expect([row, testsIn(row).length > 0]).toEqual([row, true]);
});

/** The rows of the table that begins so, without its head. */
function tableIn(text: string, head: string): string[] {
  const table = text.split('\n\n').find((part) => part.startsWith(head));
  return table?.trim().split('\n').slice(2) ?? [];
}
