/** What is read of the headers in which providers tell of their limits, odd ones included. */
import { describe, expect, test } from 'vitest';
import { rateLimitsOf, resetOf } from '../../shared/llm/providers/rate-limit-headers.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const read = (headers: Record<string, string>) => rateLimitsOf(new Headers(headers), NOW);
const HEADERS = { 'x-ratelimit-remaining-requests': '3' };

describe('a reset of', () => {
  test.each([
    ['1s', 1_000],
    ['20ms', 20],
    ['6m0s', 360_000],
    ['1h2m3s', 3_723_000],
    ['7.66s', 7_660],
    ['2m59.56s', 179_560],
    ['23h59m59s', 86_399_000],
    ['1d2h', 93_600_000],
    ['850µs', 1],
    ['999ns', 1],
    ['0s', 0],
    [' 12ms ', 12],
    ['17', 17_000],
    ['0', 0],
    ['0.25', 250],
    ['1772366410', 10_000],
    ['1772366410500', 10_500],
    ['2026-03-01T12:00:09Z', 9_000],
    ['2026-03-01T12:00:09.250Z', 9_250],
    ['2026-03-01T14:00:09+02:00', 9_000],
    ['2026-03-01T11:59:00Z', 0],
    ['1772366390', 0],
  ])('%s is that long', (reset, resetMs) => {
    const requests = { remaining: 3, resetMs };
    expect(read({ ...HEADERS, 'x-ratelimit-reset-requests': reset })).toEqual({ requests });
  });

  test.each([
    ...['', '-1', '-5s', 'soon', '1x', '5s ago', 's', '1e3', '0x10', '1,5', 'NaN', 'Infinity', 'null', '1s;w=60'],
    ...['2026-03-01', 'Sun, 01 Mar 2026 12:00:09 GMT', '2026-13-01T00:00:00Z', '2027-03-01T12:00:00Z', '99999999'],
    ...['9999999999999999999999', '1'.repeat(400), '1s'.repeat(10_000)],
  ])('%s is none', (reset) => {
    const answer = read({ ...HEADERS, 'x-ratelimit-reset-requests': reset });
    // Ten thousand seconds are a time, too.
    expect(answer).toEqual(reset.length === 20_000 ? { requests: { remaining: 3, resetMs: 1e7 } } : undefined);
  });
});

test.each(['', '-1', 'many', '1e3', '9'.repeat(30), 'NaN', '3/10'])(
  '%s left is nothing that can be read',
  (remaining) => {
    expect(read({ 'x-ratelimit-remaining-tokens': remaining, 'x-ratelimit-reset-tokens': '1s' })).toBeUndefined();
  },
);

test('what Azure says where it does not know is nothing', () => {
  const unknown = { 'x-ratelimit-limit-tokens': '-1', 'x-ratelimit-remaining-tokens': '-1' };
  expect(read({ ...unknown, 'x-ratelimit-reset-tokens': '0' })).toBeUndefined();
});

test('one without the other tells nothing, and one kind may be missing', () => {
  expect(read({ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-limit-tokens': '100' })).toBeUndefined();
  expect(read({ 'x-ratelimit-reset-tokens': '1s', 'x-ratelimit-limit-tokens': '100' })).toBeUndefined();
  expect(read({})).toBeUndefined();
  expect(rateLimitsOf(undefined, NOW)).toBeUndefined();
});

test('OpenAI: both kinds, each with its limit', () => {
  const answer = read({
    'x-ratelimit-limit-requests': '5000',
    'x-ratelimit-limit-tokens': '160000',
    'x-ratelimit-remaining-requests': '4999',
    'x-ratelimit-remaining-tokens': '159976',
    'x-ratelimit-reset-requests': '12ms',
    'x-ratelimit-reset-tokens': '9ms',
  });
  expect(answer).toEqual({
    requests: { remaining: 4_999, resetMs: 12, limit: 5_000 },
    tokens: { remaining: 159_976, resetMs: 9, limit: 160_000 },
  });
});

test.each(['-1', '0', '2', 'x'])('a limit of %s where 3 are left is none', (limit) => {
  const headers = { ...HEADERS, 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-limit-requests': limit };
  expect(read(headers)).toEqual({ requests: { remaining: 3, resetMs: 1_000 } });
});

describe('Anthropic', () => {
  const one = (kind: string, remaining: number, second: number) => ({
    [`anthropic-ratelimit-${kind}-limit`]: '80000',
    [`anthropic-ratelimit-${kind}-remaining`]: String(remaining),
    [`anthropic-ratelimit-${kind}-reset`]: new Date(NOW + second * 1_000).toISOString(),
  });
  const said = (remaining: number, second: number) => ({ remaining, resetMs: second * 1_000, limit: 80_000 });

  test('its limit that is hit first is that of its tokens', () => {
    const headers = { ...one('requests', 49, 2), ...one('tokens', 60_000, 20) };
    const others = { ...one('input-tokens', 50_000, 30), ...one('output-tokens', 7_000, 5) };
    expect(read({ ...headers, ...others })).toEqual({ requests: said(49, 2), tokens: said(60_000, 20) });
  });

  test('what is used up of input or of output counts before it', () => {
    const used = { ...one('tokens', 60_000, 20), ...one('input-tokens', 50_000, 9), ...one('output-tokens', 0, 5) };
    expect(read(used)).toEqual({ tokens: said(0, 5) });
    const both = { ...one('tokens', 0, 20), ...one('input-tokens', 0, 40), ...one('output-tokens', 0, 5) };
    expect(read(both)).toEqual({ tokens: said(0, 40) });
  });

  test('without it the limit of input is', () => {
    expect(read({ ...one('input-tokens', 50_000, 30), ...one('output-tokens', 7_000, 5) })).toEqual({
      tokens: said(50_000, 30),
    });
  });

  test('a time is counted from the date of the answer, for our clock may be wrong', () => {
    const date = new Date(NOW - 3_600_000).toUTCString();
    const headers = { ...one('requests', 0, -3_600 + 7), date };
    expect(read(headers)).toEqual({ requests: { remaining: 0, resetMs: 7_000, limit: 80_000 } });
    expect(read({ ...one('requests', 0, 7), date: 'today' })).toEqual({ requests: said(0, 7) });
  });
});

test('what is used up is waited for, the longest of it', () => {
  const left = { remaining: 1, resetMs: 9_000 };
  expect(resetOf({ requests: { remaining: 0, resetMs: 1_000 }, tokens: { remaining: 0, resetMs: 3_000 } })).toBe(3_000);
  expect(resetOf({ requests: { remaining: 0, resetMs: 1_000 }, tokens: left })).toBe(1_000);
  expect(resetOf({ requests: left, tokens: left })).toBeUndefined();
  expect(resetOf({})).toBeUndefined();
  expect(resetOf(undefined)).toBeUndefined();
});
