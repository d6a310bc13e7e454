/** What a provider asks us to wait, in every form it can be asked, and what never gets into an error's text. */
import { describe, expect, test } from 'vitest';
import { codeOfStatus, failure, retryAfterOf } from '../../shared/llm/providers/failures.ts';
import { classifyGeminiError } from '../../shared/llm/providers/gemini-errors.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

describe('a wait', () => {
  test.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '-3' }, 0],
    [{ 'retry-after': '3600' }, 3_600_000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 23:59:00 GMT' }, 0],
    [{ 'retry-after-ms': '1500', 'retry-after': '1' }, 1_500],
    [{ 'retry-after-ms': '0', 'retry-after': '20' }, 20_000],
    [{ 'x-ms-retry-after-ms': '2500', 'retry-after': '2' }, 2_500],
    [{ 'retry-after-ms': 'soon', 'x-ms-retry-after-ms': '-1' }, 0],
    // Our clock is a minute late, or an hour early: the answer's own date counts.
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT', date: 'Thu, 01 Jan 2026 00:01:00 GMT' }, 60_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 23:00:30 GMT', date: 'Wed, 31 Dec 2025 23:00:00 GMT' }, 30_000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT', date: 'today' }, 60_000],
    [{ 'retry-after': '7', date: 'Thu, 01 Jan 2026 00:01:00 GMT' }, 7_000],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{}, undefined],
  ])('%o is %s ms', (headers, expected) => {
    expect(retryAfterOf(new Headers(headers as Record<string, string>), NOW)).toBe(expected);
  });

  test.each([
    ['34.4s', 34_400],
    ['53s', 53_000],
    ['-1s', 0],
    ['later', undefined],
  ])("Gemini's RetryInfo %s is %s ms", (retryDelay, expected) => {
    const errorDetails = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }];
    expect(classifyGeminiError({ status: 429, errorDetails })).toMatchObject({
      code: 'rate_limited',
      retryAfterMs: expected,
    });
  });
});

test.each<[string | undefined, number | undefined, number | undefined]>([
  ['34.4s', 60_000, 60_000],
  ['34.4s', 7_000, 34_400],
  ['34.4s', undefined, 34_400],
  [undefined, 7_000, 7_000],
  [undefined, undefined, undefined],
])('of RetryInfo %s and a header of %s ms the longer counts', (retryDelay, headerMs, expected) => {
  const errorDetails = retryDelay ? [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }] : [];
  expect(classifyGeminiError({ status: 429, errorDetails }, undefined, { retryAfterMs: headerMs }).retryAfterMs).toBe(
    expected,
  );
});

test.each([408, 504])('HTTP %i says that the provider did not answer in time', (status) => {
  expect(codeOfStatus(status)).toBe('timeout');
  expect(failure('timeout').message).toBe('The provider did not answer in time.');
});

test("a vendor's sentence is short, is no page, and never repeats the key that was used", () => {
  const shown = (vendorText: string) => failure('invalid_request', { vendorText, secret: 'gsk_secret123456' }).message;
  expect(shown('no such model for gsk_secret123456')).toBe('The provider refuses the request: no such model for ***');
  expect(shown('<html><body>Not found</body></html>')).toBe('The provider refuses the request: it gave no reason');
  expect(shown('x'.repeat(2_000_000)).length).toBeLessThan(400);
});

test("a vendor's sentence loses whatever looks like a key", () => {
  const error = failure('invalid_request', { vendorText: 'bad sk-proj-abc123_XY and AIzaSyA-99 here' });
  expect(error.message).toBe('The provider refuses the request: bad *** and *** here');
});
