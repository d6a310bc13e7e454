/** What the console says of each way in which a job, or an attempt, can fail. */
import { expect, test } from 'vitest';
import { reasonOf } from '../../functions/console/reasons.ts';
import { FAILURE_RULES } from '../../shared/core/retry.ts';

const CODES = Object.keys(FAILURE_RULES);

test('every failure has a title of its own, and all but a cancelled one say what to do', () => {
  const reasons = CODES.map((code) => ({ code, ...reasonOf(code) }));
  expect(reasons.filter(({ title }) => !title)).toEqual([]);
  expect(new Set(reasons.map(({ title }) => title)).size).toBe(CODES.length);
  expect(reasons.filter(({ advice }) => !advice).map(({ code }) => code)).toEqual(['cancelled']);
});

test('a code that nobody knows has none, whatever its name', () => {
  for (const code of ['http_502', '', 'constructor', '__proto__']) expect(reasonOf(code)).toBeUndefined();
});
