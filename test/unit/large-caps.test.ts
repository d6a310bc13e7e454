/** What is as large as may be is taken; a byte more is refused, and the refusal names the cap. */
import { expect, test } from 'vitest';
import { collect, RESULT_BYTES_MOST } from '../../shared/core/answers.ts';
import { assertInputFits, INPUT_BYTES_MOST } from '../../shared/core/input-size.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { BODY_BYTES_MOST, readBody } from '../../shared/http/body.ts';

const MEBIBYTE = 1024 * 1024;

test('an input of 8 MiB of JSON', () => {
  const text = 'x'.repeat(8 * MEBIBYTE - 2);
  expect(INPUT_BYTES_MOST).toBe(8 * MEBIBYTE);
  expect(() => assertInputFits(text)).not.toThrow();
  expect(() => assertInputFits(`${text}x`)).toThrow('8388608');
});

test('an answer of 10 MiB of JSON, counted in bytes, escapes and all', async () => {
  const answer = (text: string) => {
    async function* parts(): AsyncIterable<LlmPart> {
      yield { type: 'text-delta', text: text.slice(0, MEBIBYTE) };
      yield { type: 'text-delta', text: text.slice(MEBIBYTE) };
      yield { type: 'finish', reason: 'stop' };
    }
    return collect(parts(), { facts: {}, text: '' });
  };
  expect(RESULT_BYTES_MOST).toBe(10 * MEBIBYTE);
  for (const [text, more] of [
    ['x'.repeat(10 * MEBIBYTE), 'x'],
    ['"'.repeat(5 * MEBIBYTE), 'x'],
  ] as const) {
    expect((await answer(text)).text.length).toBe(text.length);
    await expect(answer(text + more)).rejects.toMatchObject({
      code: 'response_too_large',
      message: expect.stringContaining('10485760'),
    });
  }
});

test('a body of 10 MiB', async () => {
  const request = (bytes: number) => new Request('http://api/', { method: 'POST', body: new Uint8Array(bytes) });
  expect(BODY_BYTES_MOST).toBe(10 * MEBIBYTE);
  expect((await readBody(request(10 * MEBIBYTE), BODY_BYTES_MOST)).byteLength).toBe(10 * MEBIBYTE);
  await expect(readBody(request(10 * MEBIBYTE + 1), BODY_BYTES_MOST)).rejects.toMatchObject({
    code: 'input_too_large',
    message: expect.stringContaining('10485760'),
  });
});
