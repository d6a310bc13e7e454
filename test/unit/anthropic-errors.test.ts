/** The classes of Anthropic's failures: errors made by its SDK itself. */
import { APIConnectionError, APIConnectionTimeoutError, APIError } from '@anthropic-ai/sdk';
import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { classifyAnthropicError, failureOf } from '../../shared/llm/providers/anthropic-errors.ts';

const KEY = 'sk-ant-api03-abcdef1234567890';
const answered = (status: number, type: string, message = 'no', headers: Record<string, string> = {}) =>
  APIError.generate(status, { type: 'error', error: { type, message } }, undefined, new Headers(headers));

describe('an answer of status', () => {
  test.each([
    [400, 'invalid_request_error', 'no', 'invalid_request'],
    [400, 'invalid_request_error', 'prompt is too long: 209999 tokens > 200000 maximum', 'context_overflow'],
    [400, 'invalid_request_error', 'input length and `max_tokens` exceed context limit: 1 + 2 > 2', 'context_overflow'],
    [400, 'invalid_request_error', 'Your credit balance is too low to access the Anthropic API.', 'quota_exhausted'],
    [401, 'authentication_error', 'no', 'auth'],
    [402, 'billing_error', 'no', 'quota_exhausted'],
    [403, 'permission_error', 'no', 'auth'],
    [404, 'not_found_error', 'no', 'invalid_request'],
    [413, 'request_too_large', 'no', 'invalid_request'],
    [429, 'rate_limit_error', 'no', 'rate_limited'],
    [500, 'api_error', 'no', 'overloaded'],
    [504, 'timeout_error', 'no', 'timeout'],
    [529, 'overloaded_error', 'no', 'overloaded'],
    [529, 'a type that nobody knows', 'no', 'overloaded'],
  ])('%i %s "%s" is %s', (status, type, message, code) => {
    expect(classifyAnthropicError(answered(status, type, message))).toMatchObject({ code, provider: { status } });
  });
});

test('the wait and the id of the request are kept', () => {
  const headers = { 'retry-after': '7', 'request-id': 'req_1' };
  expect(classifyAnthropicError(answered(429, 'rate_limit_error', 'slow', headers))).toMatchObject({
    ...{ code: 'rate_limited', retryAfterMs: 7_000, provider: { status: 429, requestId: 'req_1' } },
  });
});

test.each<[string, unknown, string]>([
  ['a refused connection', new APIConnectionError({ message: 'refused' }), 'network'],
  ['a connection that timed out', new APIConnectionTimeoutError(), 'network'],
  ['a stream that was cut', new TypeError('terminated'), 'network'],
  ['a frame that is not JSON', new SyntaxError('Unexpected token <'), 'provider_error'],
  ['something that is no error', 'thrown', 'provider_error'],
])('%s is classified', (_, error, code) => {
  expect(classifyAnthropicError(error).code).toBe(code);
});

test('an error of ours stays as it is, also behind one of the SDK', () => {
  const ours = new ServiceError('response_too_large', 'too large');
  expect(classifyAnthropicError(ours)).toBe(ours);
  expect(classifyAnthropicError(new APIConnectionError({ cause: ours }))).toBe(ours);
});

test.each([
  ['overloaded_error', 'overloaded'],
  ['rate_limit_error', 'rate_limited'],
  ['a type that nobody knows', 'provider_error'],
  [undefined, 'provider_error'],
])('within the stream, %s is %s, without a key', (type, code) => {
  expect(failureOf({ type, message: `for ${KEY}` }, KEY)).toMatchObject({
    ...{ code, message: expect.not.stringContaining('abcdef') },
  });
});
