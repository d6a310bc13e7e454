/** What a provider names, warns of and fails with is told without our keys; its answer is told as it is. */
import { expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { redactedProvider } from '../../shared/llm/providers/redacted.ts';
import { PLAIN } from '../support/llm-requests.ts';

const KEY = 'zq.QXJW.0123456789';
const { signal } = new AbortController();

async function told(parts: LlmPart[], error?: ServiceError): Promise<unknown[]> {
  const provider = redactedProvider(
    {
      async *generate() {
        yield* parts;
        if (error) throw error;
      },
    },
    [KEY],
  );
  const seen: unknown[] = [];
  try {
    for await (const part of provider.generate(PLAIN, { signal })) seen.push(part);
  } catch (thrown) {
    seen.push(thrown);
  }
  return seen;
}

test('parts', async () => {
  const parts: LlmPart[] = [
    { type: 'accepted', providerRequestId: `req ${KEY}` },
    { type: 'response', id: `r ${KEY}`, model: `m ${KEY}` },
    { type: 'response', id: 'r', model: undefined },
    { type: 'warning', message: `not with ${KEY}` },
    { type: 'text-delta', text: KEY },
  ];
  expect(await told(parts)).toEqual([
    { type: 'accepted', providerRequestId: 'req ***' },
    { type: 'response', id: 'r ***', model: 'm ***' },
    { type: 'response', id: 'r', model: undefined },
    { type: 'warning', message: 'not with ***' },
    { type: 'text-delta', text: KEY },
  ]);
});

test('a failure keeps what is known of it', async () => {
  const facts = { retryAfterMs: 7, provider: { status: 429, requestId: `q ${KEY}` }, fields: { a: 'b' } };
  const [clean] = await told([], new ServiceError('rate_limited', `slow down, ${KEY}`, facts));
  expect(clean).toMatchObject({
    ...{ code: 'rate_limited', message: 'slow down, ***', retryAfterMs: 7, fields: { a: 'b' } },
    provider: { status: 429, requestId: 'q ***' },
  });
  const plain = new ServiceError('overloaded', 'no', { provider: { status: 503, requestId: 'q' } });
  expect(await told([], plain)).toEqual([plain]);
});

test('a provider that throws before its first part is redacted, and one that is left hears of it', async () => {
  const failing = redactedProvider({ generate: () => fail(new ServiceError('invalid_request', `no ${KEY}`)) }, [KEY]);
  const parts = failing.generate(PLAIN, { signal })[Symbol.asyncIterator]();
  await expect(parts.next()).rejects.toMatchObject({ message: 'no ***' });

  let isLeft = false;
  const left = redactedProvider(
    {
      async *generate() {
        try {
          yield { type: 'activity' };
          yield { type: 'activity' };
        } finally {
          isLeft = true;
        }
      },
    },
    [KEY],
  );
  for await (const _ of left.generate(PLAIN, { signal })) break;
  expect(isLeft).toBe(true);
});

test('ids that are no text are left out, and a part that cannot be read ends the call', async () => {
  const wrong = [{ type: 'response', id: 5, model: 'm' }, null] as unknown as LlmPart[];
  let isLeft = false;
  const provider = redactedProvider(
    {
      async *generate() {
        try {
          yield* wrong;
        } finally {
          isLeft = true;
        }
      },
    },
    [KEY],
  );
  const parts = provider.generate(PLAIN, { signal })[Symbol.asyncIterator]();
  expect(await parts.next()).toEqual({ done: false, value: { type: 'response', id: undefined, model: 'm' } });
  await expect(parts.next()).rejects.toThrow(TypeError);
  await expect.poll(() => isLeft).toBe(true);
});

test('a source that answers at once, and keeps its steps, is taken as it is', async () => {
  const step = Object.freeze({ done: false, value: { type: 'warning', message: KEY } });
  const steps = [step, { done: true, value: undefined }];
  const source = { [Symbol.asyncIterator]: () => ({ next: () => steps.shift() }) };
  const provider = redactedProvider({ generate: () => source as unknown as AsyncIterable<LlmPart> }, [KEY]);
  const seen: LlmPart[] = [];
  for await (const part of provider.generate(PLAIN, { signal })) seen.push(part);
  expect(seen).toEqual([{ type: 'warning', message: '***' }]);
});

function fail(error: Error): never {
  throw error;
}
