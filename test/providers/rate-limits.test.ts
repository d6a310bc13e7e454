/** What providers say of their limits, over real sockets and the real SDKs, and what is made of it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { attempt } from '../../shared/core/attempt.ts';
import type { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { modelLimits } from '../../shared/core/model-limits.ts';
import { nextTry } from '../../shared/core/retry.ts';
import { generalLlmRequest } from '../../shared/job-types/general-llm-request.ts';
import { tablePricing } from '../../shared/llm/cost.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { type Script, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { PROTOCOLS, type Protocol } from './protocols.ts';

let server: ScriptedProvider;
beforeAll(async () => {
  server = await startScriptedProvider();
});
afterAll(() => server.stop());
beforeEach(() => {
  server.requests.length = 0;
});

type Headers = Record<string, string>;

const anthropicHeaders = (requests: number, tokens: number, resetMs: number): Headers => {
  const reset = new Date(Date.now() + resetMs).toISOString();
  return {
    ...{ 'anthropic-ratelimit-requests-limit': '50', 'anthropic-ratelimit-requests-remaining': String(requests) },
    ...{ 'anthropic-ratelimit-tokens-limit': '90000', 'anthropic-ratelimit-tokens-remaining': String(tokens) },
    ...{ 'anthropic-ratelimit-requests-reset': reset, 'anthropic-ratelimit-tokens-reset': reset },
  };
};
const openaiHeaders = (requests: number, tokens: number, resetMs: number): Headers => ({
  ...{ 'x-ratelimit-limit-requests': '50', 'x-ratelimit-remaining-requests': String(requests) },
  ...{ 'x-ratelimit-limit-tokens': '90000', 'x-ratelimit-remaining-tokens': String(tokens) },
  ...{ 'x-ratelimit-reset-requests': `${resetMs}ms`, 'x-ratelimit-reset-tokens': `${resetMs}ms` },
});

const told = PROTOCOLS.filter(({ name }) => !name.startsWith('gemini')).map((protocol) => {
  const headersOf = protocol.name.startsWith('anthropic') ? anthropicHeaders : openaiHeaders;
  return { ...protocol, headersOf };
});

/** An answer in the vendor's frames, with these headers. */
const answering =
  ({ opening, delta, ending }: Protocol, headers: Headers): Script =>
  async ({ response, stream, write }) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    stream();
    await write(opening + delta('Hello.') + ending);
    response.end();
  };

const refusing =
  ({ errorBody }: Protocol, headers: Headers, status = 429): Script =>
  ({ json }) =>
    json(status, errorBody('slow down', 'x'), headers);

async function call({ model, provider }: Protocol): Promise<LlmPart[]> {
  const parts: LlmPart[] = [];
  const request = { model, messages: [{ role: 'user' as const, content: 'Hi' }] };
  for await (const part of provider(server.url).generate(request, { signal: new AbortController().signal })) {
    parts.push(part);
  }
  return parts;
}

const failing = (protocol: Protocol) =>
  call(protocol).then(
    () => expect.unreachable('it was answered'),
    (error: unknown) => error as ServiceError,
  );

/** A date has whole seconds: what is counted from it is up to one longer. An instant comes nearer while a test runs. */
const about = (ms: number) => ({
  asymmetricMatch: (value: unknown) => Number(value) >= ms - 2_000 && Number(value) <= ms + 1_100,
});

describe.each(told)('$name', (protocol) => {
  const { headersOf } = protocol;

  test('says with an answer what is left', async () => {
    server.answerWith(answering(protocol, headersOf(49, 1_234, 3_000)));
    const [accepted] = await call(protocol);
    expect(accepted).toMatchObject({
      type: 'accepted',
      limits: {
        requests: { remaining: 49, limit: 50, resetMs: about(3_000) },
        tokens: { remaining: 1_234, limit: 90_000, resetMs: about(3_000) },
      },
    });
  });

  test('says nothing, or nothing that can be read', async () => {
    const odd = Object.fromEntries(Object.keys(headersOf(0, 0, 0)).map((name) => [name, 'soon']));
    for (const headers of [{}, odd]) {
      server.answerWith(answering(protocol, headers));
      const [accepted] = await call(protocol);
      expect(accepted).toMatchObject({ type: 'accepted', limits: undefined });
    }
  });

  test('a refusal with these headers alone asks to wait until what is used up is there again', async () => {
    server.answerWith(refusing(protocol, headersOf(0, 500, 7_000)));
    const error = await failing(protocol);
    expect(error).toMatchObject({
      code: 'rate_limited',
      retryAfterMs: about(7_000),
      provider: { status: 429, limits: { requests: { remaining: 0, limit: 50 }, tokens: { remaining: 500 } } },
    });
    const policy = { pausesMs: [10], refusalsMost: 5, jitter: 'full', waitInPlaceMostMs: 30_000 } as const;
    const tries = { failures: 0, refusals: 0, repairs: 0, repairsMost: 0 };
    expect(nextTry(policy, error, tries, 0)).toMatchObject({ again: true, pauseMs: about(7_000) });
  });

  test('what Retry-After asks for comes first, and where nothing is used up nobody knows', async () => {
    server.answerWith(refusing(protocol, { ...headersOf(0, 0, 7_000), 'retry-after': '2' }));
    expect((await failing(protocol)).retryAfterMs).toBe(2_000);
    server.answerWith(refusing(protocol, headersOf(3, 500, 7_000)));
    expect((await failing(protocol)).retryAfterMs).toBeUndefined();
    server.answerWith(refusing(protocol, headersOf(0, 0, 7_000), 500));
    expect((await failing(protocol)).retryAfterMs).toBeUndefined();
  });
});

test('gemini says nothing in headers, and what stands there is not read', async () => {
  const [gemini] = PROTOCOLS.filter(({ name }) => name === 'gemini');
  if (!gemini) throw new Error('no such protocol');
  server.answerWith(answering(gemini, openaiHeaders(0, 0, 3_000)));
  const [accepted] = await call(gemini);
  expect(accepted).not.toHaveProperty('limits');
});

test.each(['answer', 'refusal'])(
  'after an %s with nothing left, an attempt tells, and no call is made before',
  async (kind) => {
    const [protocol] = told;
    if (!protocol) throw new Error('no protocol');
    const clock = systemClock();
    const set = { requestsPerMinute: new Map(), tokensPerMinute: new Map() };
    const limits = modelLimits({ clock, windowLimiter: memoryWindowLimiter({ clock }), ...set });
    const model = { ...sampleJob().model, provider: 'p', model: protocol.model };
    const options = {
      ...{ providerFor: async () => protocol.provider(server.url), pricing: tablePricing() },
      ...{ clock, log: () => {} },
    };
    const tried = () =>
      attempt(options, generalLlmRequest, sampleJob({ model }), { prompt: 'Hi' }, new AbortController().signal, {
        onLimits: (said) => limits.learn(model, said),
      });
    expect(await limits.take(model, 10)).not.toHaveProperty('waitMs');
    const headers = openaiHeaders(0, 9_000, 30_000);
    server.answerWith(kind === 'answer' ? answering(protocol, headers) : refusing(protocol, headers));
    expect(await tried()).toMatchObject({ ended: kind === 'answer' ? 'answered' : 'failed' });
    const { waitMs } = (await limits.take(model, 10)) as { waitMs: number };
    expect(waitMs).toBeGreaterThan(20_000);
    expect(waitMs).toBeLessThanOrEqual(30_000);
  },
);
