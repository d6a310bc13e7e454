/** The trace that a call belongs to is on every request to its provider, in each protocol, through the vendors' real SDKs. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { collect } from '../../shared/core/answers.ts';
import { openaiProvider } from '../../shared/llm/providers/openai.ts';
import { startBackgroundProvider } from '../support/background-provider.ts';
import { PLAIN } from '../support/llm-requests.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { PROTOCOLS } from './protocols.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const { signal } = new AbortController();

describe.each(PROTOCOLS)('$name', ({ provider, model, opening, delta, ending, whole }) => {
  let server: ScriptedProvider;
  beforeAll(async () => {
    server = await startScriptedProvider();
  });
  beforeEach(() => {
    server.requests.length = 0;
  });
  afterAll(() => server.stop());

  const traceOf = async (traceparent: string | undefined) => {
    const parts = provider(server.url).generate({ ...PLAIN, model }, { signal, traceparent });
    const answer = await collect(parts, { facts: {}, text: '' });
    expect(answer.text).toBe('Hi');
    return server.requests.map(({ headers }) => headers.traceparent);
  };

  test('streamed: with a trace one header, without one none', async () => {
    server.answerWith(async ({ stream, write, response }) => {
      stream();
      await write(opening + delta('Hi') + ending);
      response.end();
    });
    expect(await traceOf(TRACEPARENT)).toEqual([TRACEPARENT]);
    expect(await traceOf(undefined)).toEqual([TRACEPARENT, undefined]);
    expect(server.requests[1]?.headers).not.toHaveProperty('traceparent');
  });

  if (!whole) return;
  test('answered by one document', async () => {
    server.answerWith(({ json }) => json(200, whole('Hi')));
    expect(await traceOf(TRACEPARENT)).toEqual([TRACEPARENT]);
  });
});

test('the background mode: on its start, its looks and its cancel', async () => {
  const server = await startBackgroundProvider();
  const { background } = openaiProvider({ apiKey: 'sk-test', baseUrl: `${server.url}/v1` });
  if (!background) throw new Error('no background mode');
  const request = { ...PLAIN, model: 'gpt-4o-mini' };
  for (const traceparent of [TRACEPARENT, undefined]) {
    server.requests.length = 0;
    const { id = '' } = (await background.start(request, { signal, traceparent })) as { id?: string };
    await background.look(id, request, { signal, traceparent });
    await background.cancel(id, { signal, traceparent });
    const asked = server.requests.map(({ method, path, headers }) => [`${method} ${path}`, headers.traceparent]);
    expect(asked).toEqual([
      ['POST /v1/responses', traceparent],
      [`GET /v1/responses/${id}`, traceparent],
      [`POST /v1/responses/${id}/cancel`, traceparent],
    ]);
  }
  await server.stop();
});
