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
