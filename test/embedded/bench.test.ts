/** `npm run bench`: what it says to what makes no sense. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROGRAMS } from '../bench/support/programs.ts';
import { runBench } from '../support/bench-process.ts';

test.each([
  [['--only', 'nobody'], `--only: there is no "nobody"; there are ${PROGRAMS.join(', ')}.\n`],
  [['--only', 'start,'], `--only: there is no ""; there are ${PROGRAMS.join(', ')}.\n`],
  [['--fast'], "Unknown option '--fast'. There are --only NAME, --short and --json.\n"],
  [['start'], expect.stringMatching(/^Unexpected argument 'start'\. .*There are --only NAME, --short and --json\.\n$/)],
  [['--only'], expect.stringMatching(/^Option '--only <value>' argument missing\. There are .*\n$/)],
])('%j is a sentence', async (words, sentence) => {
  expect(await runBench(...words)).toEqual({ code: 1, stdout: '', stderr: sentence });
});

test('knows every program of its folder', () => {
  const folder = join(import.meta.dirname, '../bench');
  const isProgram = (file: string) => readFileSync(join(folder, file), 'utf8').includes('await bench(');
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts') && isProgram(file));
  expect(files.length).toBeGreaterThan(0);
  expect(PROGRAMS).toEqual(expect.arrayContaining(files.map((file) => file.replace('.ts', ''))));
});
