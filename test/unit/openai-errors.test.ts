/** The classes of OpenAI's failures: every error that its SDK can throw, made by the SDK itself. */
import { APIConnectionError, APIConnectionTimeoutError, APIError, type AuthenticationError } from 'openai';
import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { classifyOpenaiError, failureOf } from '../../shared/llm/providers/openai-errors.ts';

const KEY = 'sk-proj-abcdef1234567890';
const NOW = Date.parse('2026-01-01T00:00:00Z');

/** As the SDK makes it of an answer. */
function answered(status: number, error: object, headers: Record<string, string> = {}): AuthenticationError {
  return APIError.generate(status, { error }, undefined, new Headers(headers)) as AuthenticationError;
}

describe('an answer of status', () => {
  test.each([
    [400, {}, 'invalid_request'],
    [401, {}, 'auth'],
    [403, {}, 'auth'],
    [404, {}, 'invalid_request'],
    [408, {}, 'timeout'],
    [409, {}, 'invalid_request'],
    [413, {}, 'invalid_request'],
    [422, {}, 'invalid_request'],
    [429, {}, 'rate_limited'],
    [500, {}, 'overloaded'],
    [502, {}, 'overloaded'],
    [503, {}, 'overloaded'],
    [504, {}, 'timeout'],
    [529, {}, 'overloaded'],
    [401, { code: 'invalid_api_key' }, 'auth'],
    [429, { code: 'insufficient_quota' }, 'quota_exhausted'],
    [429, { code: 'rate_limit_exceeded' }, 'rate_limited'],
    [400, { code: 'context_length_exceeded' }, 'context_overflow'],
    [400, { code: 'content_policy_violation' }, 'content_policy'],
    [400, { code: 'content_filter' }, 'content_policy'],
    [400, { code: 'invalid_prompt' }, 'content_policy'],
    [500, { code: 'server_error' }, 'overloaded'],
    [500, { code: 'a code that nobody knows' }, 'overloaded'],
    [400, { code: null }, 'invalid_request'],
  ])('%i with %o is %s', (status, error, code) => {
    expect(classifyOpenaiError(answered(status, error), undefined, NOW)).toMatchObject({ name: 'ServiceError', code });
  });
});

describe('without an answer,', () => {
  test.each<[string, unknown, string]>([
    ['a refused connection', new APIConnectionError({ message: 'refused' }), 'network'],
    ['a connection that timed out', new APIConnectionTimeoutError(), 'network'],
    ['a stream that was cut', new TypeError('terminated'), 'network'],
    ['a frame that is not JSON', new SyntaxError('Unexpected token <'), 'provider_error'],
    ['an error event within the stream', new APIError(undefined, {}, 'in the stream', undefined), 'provider_error'],
    ['something that is no error', 'thrown', 'provider_error'],
    ['a shape that nobody expects', new TypeError('Cannot read properties of null'), 'provider_error'],
  ])('%s is classified', (_, error, code) => {
    expect(classifyOpenaiError(error, undefined, NOW).code).toBe(code);
  });

  test('an error that is ours already stays as it is', () => {
    const ours = new ServiceError('content_policy', 'The model refused to answer.');
    expect(classifyOpenaiError(ours)).toBe(ours);
  });
});

describe('the sentence', () => {
  test.each([
    ['of a refused key', answered(401, { message: `Incorrect API key provided: ${KEY}` })],
    ['of an overload', answered(500, { message: `worker of ${KEY} died` })],
    ['of a wrong request', answered(400, { message: `unknown parameter for ${KEY}` })],
  ])('%s shows no key', (_, error) => {
    const { message } = classifyOpenaiError(error);
    expect(message.length).toBeGreaterThan(10);
    expect(message).not.toContain('abcdef');
  });

  test('of a wrong request says what the vendor said, for the user can mend it', () => {
    const error = answered(400, { message: "Unsupported value: 'temperature'." });
    expect(classifyOpenaiError(error).message).toContain("Unsupported value: 'temperature'.");
  });

  test('keeps the cause for the log', () => {
    const error = answered(500, {});
    expect(classifyOpenaiError(error).cause).toBe(error);
  });
});

test('a wait that the vendor asks for is kept', () => {
  expect(classifyOpenaiError(answered(429, {}, { 'retry-after': '20' }), undefined, NOW).retryAfterMs).toBe(20_000);
  expect(classifyOpenaiError(answered(503, {}, { 'retry-after-ms': '250' }), undefined, NOW).retryAfterMs).toBe(250);
  const azure = answered(429, {}, { 'x-ms-retry-after-ms': '750', 'retry-after': '0' });
  expect(classifyOpenaiError(azure, undefined, NOW).retryAfterMs).toBe(750);
  const elsewhen = { 'retry-after': 'Fri, 02 Jan 2026 00:00:09 GMT', date: 'Fri, 02 Jan 2026 00:00:00 GMT' };
  expect(classifyOpenaiError(answered(429, {}, elsewhen), undefined, NOW).retryAfterMs).toBe(9_000);
  expect(classifyOpenaiError(answered(429, {}), undefined, NOW).retryAfterMs).toBeUndefined();
});

describe('a failure that the answer itself reports:', () => {
  test.each([
    ['rate_limit_exceeded', 'rate_limited'],
    ['server_error', 'overloaded'],
    ['content_filter', 'content_policy'],
    ['a code that nobody knows', 'provider_error'],
    ['constructor', 'provider_error'],
    [429, 'rate_limited'],
    ['503', 'overloaded'],
    ['504', 'timeout'],
    [null, 'provider_error'],
    [undefined, 'provider_error'],
  ])('%s is %s', (reported, code) => {
    expect(failureOf({ code: reported, message: `it broke for ${KEY}` })).toMatchObject({
      code,
      message: expect.not.stringContaining('abcdef'),
    });
  });
});
