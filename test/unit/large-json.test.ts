/** One large field of an answer: where it stands, how it is taken, and what becomes of it when nobody takes it. */
import { get, type IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { listen } from '../../infra/listen.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { answerLarge } from '../../shared/http/large-json.ts';

/** Pieces of a JSON text, and how many of them were asked for; `ended` when whoever asked is done. */
function source(pieces: readonly string[]) {
  const state = { asked: 0, ended: false };
  async function* texts() {
    try {
      for (const piece of pieces) {
        state.asked += 1;
        yield piece;
      }
    } finally {
      state.ended = true;
    }
  }
  return { state, texts };
}

function appWith(view: { [name: string]: unknown }, pieces: readonly string[]) {
  const { state, texts } = source(pieces);
  const bytes = Buffer.byteLength(pieces.join(''));
  const app = new Hono<HttpEnv>();
  app.get('/', (context) => answerLarge(context, view, { name: 'large', bytes, load: async () => texts() }));
  return { state, ask: (method = 'GET') => app.request('/', { method }) };
}

test.each([
  ['in the middle', { a: 1, large: undefined, none: undefined, b: ['é'] }],
  ['first', { large: undefined, b: 1 }],
  ['last', { a: 1, large: undefined }],
  ['alone', { large: undefined }],
])('a field %s stands where it would stand', async (_, view) => {
  const { ask, state } = appWith(view, ['{"text":"', '分析', '"}']);
  const response = await ask();
  const text = await response.text();
  expect(text).toBe(JSON.stringify({ ...view, large: { text: '分析' } }));
  expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
  expect(state).toEqual({ asked: 3, ended: true });
});

test('nothing is read for whoever wants the headers alone', async () => {
  const { ask, state } = appWith({ large: undefined }, ['1']);
  const response = await ask('HEAD');
  expect([response.status, response.headers.get('content-length')]).toEqual([200, '11']);
  expect(state.asked).toBe(0);
});

test('no more is read than is taken, and nothing when nobody takes it any more', async () => {
  const { ask, state } = appWith({ large: undefined }, Array(100).fill('1'));
  const reader = (await ask()).body?.getReader();
  await reader?.read();
  await reader?.read();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(state).toEqual({ asked: 1, ended: false });
  await reader?.cancel();
  expect(state).toEqual({ asked: 1, ended: true });
});

test('over a socket, a client that reads nothing is not read for, and one that leaves ends the reading', async () => {
  const MEGABYTE = 1024 * 1024;
  const { state, texts } = source(Array(200).fill('1'.repeat(MEGABYTE)));
  const app = new Hono<HttpEnv>();
  const large = { name: 'large' as const, bytes: 200 * MEGABYTE, load: async () => texts() };
  app.get('/', (context) => answerLarge(context, { large: undefined }, large));
  const server = await listen(app.fetch, { host: '127.0.0.1', port: 0 });
  const response = await new Promise<IncomingMessage>((resolve) => get(server.baseUrl, resolve));
  response.pause();
  let asked = -1;
  // Until the sockets are full.
  while (asked < state.asked) {
    asked = state.asked;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(state).toEqual({ asked, ended: false });
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(50);
  response.destroy();
  await expect.poll(() => state.ended).toBe(true);
  expect(state.asked).toBeLessThan(50);
  await server.close();
});
