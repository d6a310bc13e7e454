/** How much of seed 004's component changes with our hook: what is new in it; the rest is left out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const FOLDER = join(import.meta.dirname, '..', 'browser', 'seed-004');
const linesOf = (name: string) => readFileSync(join(FOLDER, name), 'utf8').split('\n');

test('at most ten lines of the component with the hook are not in the original', () => {
  const original = linesOf('prompt-generator.jsx');
  const changed = linesOf('prompt-generator-with-hook.jsx').filter((line) => {
    const at = original.indexOf(line);
    if (at >= 0) original.splice(at, 1);
    return at < 0;
  });
  expect(changed.length).toBeLessThanOrEqual(10);
  // Those that one expects, so that the files are the right ones.
  expect(changed.join('\n')).toMatch(/llm-jobs\/react[\s\S]*useLlmJob\([\s\S]*submit\(/);
  expect(original.length).toBeGreaterThan(70);
  // The README shows them.
  const readme = readFileSync(join(FOLDER, '..', '..', '..', 'README.md'), 'utf8').split('\n');
  expect(readme).toEqual(expect.arrayContaining(changed));
});
