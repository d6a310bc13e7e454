/** What is taken out of words that others wrote, what is left, and that it takes no time to tell. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeError, ServiceError } from '../../shared/core/errors.ts';
import { redact } from '../../shared/core/redact.ts';

describe('whatever looks like a key goes', () => {
  test.each([
    [
      'Incorrect API key provided: sk-abc***xyz. You can find yours.',
      'Incorrect API key provided: *** You can find yours.',
    ],
    ['Incorrect API key provided: sk-proj-********abcd', 'Incorrect API key provided: ***'],
    ['Incorrect API key provided: sk-ab…yz', 'Incorrect API key provided: ***'],
    ['no access for ab12****cd34 here', 'no access for *** here'],
    ['bad AIzaSyA-99_x and sk_live_1234', 'bad *** and ***'],
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: *** ***'],
    ['sent Bearer abcdef==', 'sent Bearer ***'],
    [`key llmj_${'0a'.repeat(36)}.`, 'key ***'],
    ['token eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0. was refused', 'token *** was refused'],
    ['https://host/v1/models?key=abc&alt=sse failed', 'https://host/v1/models?key=***&alt=sse failed'],
    ['GET /stream/?access_token=abc.def 401', 'GET /stream/?access_token=*** 401'],
    ['{"api_key":"abc","model":"m"}', '{"api_key":"***","model":"m"}'],
    ['x-goog-api-key: abc, host: b', 'x-goog-api-key: ***, host: b'],
    ['cannot reach https://me:pass@host/x', 'cannot reach https://***@host/x'],
    [`is ${'a1'.repeat(20)} yours?`, 'is *** yours?'],
    ['-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY----- end', '*** end'],
  ])('%s', (text, expected) => expect(redact(text)).toBe(expected));
});

test.each([
  'The model gpt-4o-mini-2024-07-18 does not exist.',
  'maximum context length is 128000 tokens; max_tokens=4096, code=400',
  'a task-list of risk-free words, and a desk-top',
  'request 5b0c3f8e-1f2d-4c55-9f6e-0d6b7a1c2e3f of req_0123456789abcdef0123456789abcdef failed',
  `answer resp_${'0a'.repeat(24)} of chatcmpl-${'a1B'.repeat(12)}`,
  'see https://ai.google.dev/gemini-api/docs/models?hl=de#list',
  'Unsupported value: messages[0].role',
])('the rest can be read: %s', (text) => expect(redact(text)).toBe(text));

/** As vendors make them; the letters are such that no other word has six of them in a row. */
const body = fc.string({ unit: fc.constantFrom(...'QXZJVKW0123456789'), minLength: 24, maxLength: 80 });
const prefix = fc.constantFrom('sk-', 'sk-proj-', 'AIza', 'gsk_', 'llmj_', '', 'my.own:');
const key = fc.tuple(prefix, body).map(([before, rest]) => before + rest);
const words = fc.string({ unit: fc.constantFrom(...'abc dé 漢👩.:/=&?"\'*-_\n'), maxLength: 200 });
const ENDS = 6;

test('a known key is not in it, whole or in part, wherever it stood', () => {
  fc.assert(
    fc.property(key, key, words, words, fc.nat(10_000), (mine, other, before, after, padding) => {
      const masked = `${mine.slice(0, 8)}***${mine.slice(-8)}`;
      const text = `${'word '.repeat(padding / 5)}${before}${mine}${after} ${masked} ${other}${mine}`;
      const clean = redact(text, [other, mine]);
      expect(clean.isWellFormed()).toBe(true);
      for (const secret of [mine, other]) {
        for (let at = 0; at + ENDS <= secret.length; at++) {
          const part = secret.slice(at, at + ENDS);
          // The prefix alone is nobody's secret.
          if (/[QXZJVKW0-9]{6}/.test(part)) expect(clean).not.toContain(part);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});

test('a key that nobody told us of goes by its looks, between any words', () => {
  const looks = fc.tuple(fc.constantFrom('sk-', 'AIza', 'llmj_', 'gsk_', 'Bearer ', 'key='), body);
  fc.assert(
    fc.property(looks, words, words, ([before, rest], left, right) => {
      expect(redact(`${left} ${before}${rest} ${right}`)).not.toContain(rest);
    }),
    { numRuns: 3_000 },
  );
});

test('it is the same when it is done again, and as short as is wanted', () => {
  fc.assert(
    fc.property(key, words, fc.nat(300), (secret, text, most) => {
      const clean = redact(`${text} ${secret} ${text}`, [secret]);
      expect(redact(clean, [secret])).toBe(clean);
      expect(redact(clean, [secret], most).length).toBeLessThanOrEqual(most + 1);
    }),
  );
});

test('a text of megabytes that looks like the beginning of every pattern takes no time', () => {
  const pieces = ['sk-', 'a', '***', 'api key ', 'Bearer ', '-----BEGIN', '://', 'eyJ', '"', 'key=', ' ', '='];
  const startedMs = performance.now();
  for (const piece of pieces) redact(piece.repeat(1_000_000), ['gsk_0123456789abcdef']);
  // Quadratic time would be hours.
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

test('an error is described by its code and by what its cause calls itself, never by a message', () => {
  const cause = Object.assign(new TypeError('canary'), { code: 14 });
  expect(describeError(new ServiceError('store_unavailable', 'canary', { cause }))).toBe(
    'store_unavailable (TypeError 14)',
  );
  expect(describeError(new ServiceError('network', 'canary'))).toBe('network');
  const odd = Object.assign(new Error('canary'), { code: 'canary with spaces' });
  expect(describeError(new ServiceError('network', 'canary', { cause: odd }))).toBe('network (Error)');
  expect(describeError(cause)).not.toContain('canary');
  expect(describeError('canary')).toBe('string');
});
