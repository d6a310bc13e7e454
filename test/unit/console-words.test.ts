/** How the console says times and amounts. */
import { expect, test } from 'vitest';
import { agoOf, costOf, durationOf, inWords } from '../../functions/console/words.ts';

test.each([
  [0.04, '0.0 s'],
  [9.94, '9.9 s'],
  [9.96, '10 s'],
  [59.6, '1 min'],
  [200, '3 min 20 s'],
  [540, '9 min'],
  [3_599.6, '1 h'],
  [7_199, '2 h'],
  [7_500, '2 h 5 min'],
  [86_400, '24 h'],
])('%f seconds are %s', (seconds, words) => {
  expect(durationOf(seconds)).toBe(words);
});

test.each([
  [null, 'price unknown'],
  [0, '$0'],
  [0.000123, '$0.00012'],
  [0.25, '$0.25'],
  [12.5, '$12.50'],
])('%f dollars are %s', (dollars, words) => {
  expect(costOf(dollars)).toBe(words);
});

test('how long ago something was, and a name, are said in words', () => {
  const nowMs = Date.parse('2025-01-18T12:00:00Z');
  const instants = ['2025-01-18T11:59:58Z', '2025-01-18T11:58:00Z', '2025-01-18T09:00:00Z', '2025-01-15T12:00:00Z'];
  expect(instants.map((instant) => agoOf(instant, nowMs))).toEqual(['2 s ago', '2 min ago', '3 h ago', '3 d ago']);
  // The clock of the service is ahead of ours.
  expect(agoOf('2025-01-18T12:00:09Z', nowMs)).toBe('0 s ago');
  expect(inWords('trainer_question_analysis')).toBe('Trainer question analysis');
});
