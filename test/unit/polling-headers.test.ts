/** What the headers of a poll say, however a client writes them. */
import { describe, expect, test } from 'vitest';
import { entityTagOf, parseIfNoneMatch, parseWaitPreference } from '../../shared/http/polling.ts';

describe('Prefer', () => {
  test.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['wait=10', 10],
    ['wait=0', 0],
    ['wait=55', 55],
    ['wait=56', 55],
    ['wait=99999999999999999999999999', 55],
    ['WAIT = 7', 7],
    ['wait="12"', 12],
    ['respond-async, wait=9; foo=bar', 9],
    ['respond-async', undefined],
    ['handling=lenient; wait=3', undefined],
    ['waiting=x, await=y', undefined],
    ['foo="a, wait=x", wait=4', 4],
    ['foo="wait=x;", wait=4', 4],
    ['wait=5, wait=abc', 5],
    [',, wait=6 ,', 6],
  ])('%j waits %j s', (header, seconds) => {
    expect(parseWaitPreference(header)).toBe(seconds);
  });

  test.each([
    'wait',
    'wait=',
    'wait=abc',
    'wait=-1',
    'wait=1.5',
    'wait=1e1',
    'wait=0x1',
    'wait=1=2',
    'wait="1 2"',
    'wait=abc, wait=5',
  ])('%j is refused, naming the field and the limit', (header) => {
    expect(() => parseWaitPreference(header)).toThrow(/Prefer: wait must be a whole number of seconds, at most 55/);
  });

  test.each([',', '"', 'a="', ';', 'wait;'])('16 kB of %j take no time', (part) => {
    const startedMs = performance.now();
    try {
      parseWaitPreference(part.repeat(16_384 / part.length));
    } catch {}
    parseIfNoneMatch(part.repeat(16_384 / part.length));
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});

describe('If-None-Match', () => {
  const shown = { version: 3, progress: 42, isWaiting: false };

  test('an answer has a weak tag of its version and progress, and of whether the job waits', () => {
    expect(entityTagOf(shown)).toBe('W/"3.42"');
    expect(entityTagOf({ ...shown, isWaiting: true })).toBe('W/"3.42w"');
  });

  test.each(['W/"3.42"', '"3.42"', 'W/"3.41", W/"3.42"', '"x" ,W/"3.42","2.1"', 'W/"3.42","not ended', '*', ' * '])(
    '%j has seen it',
    (header) => {
      expect(parseIfNoneMatch(header).includes(shown)).toBe(true);
    },
  );

  test.each([undefined, '', 'W/"3.41"', 'W/"2.42"', '"3.42w"', '3.42', '"33.42"', '"3.423"', '"a", "*"', 'W/"3"'])(
    '%j has not',
    (header) => {
      expect(parseIfNoneMatch(header).includes(shown)).toBe(false);
    },
  );

  test.each<[string | undefined, object | undefined]>([
    ['"2.99", W/"10.3", "10.12", "9.50w"', { version: 10, progress: 12, isWaiting: false }],
    ['W/"4.10w"', { version: 4, progress: 10, isWaiting: true }],
    ['"abc", W/"-1.5", "1.2.3"', undefined],
    ['W/"99999999999999999999.1"', undefined],
    ['*', undefined],
    [undefined, undefined],
  ])('the newest of %j is %j', (header, newest) => {
    expect(parseIfNoneMatch(header).newest).toEqual(newest);
  });
});
