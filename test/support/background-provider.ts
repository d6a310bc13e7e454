/**
 * OpenAI's Responses API in its background mode, behind a real socket: it works on answers by itself, for as long as a
 * prompt says (`[seconds=3]`), keeps them, and stops when it is told to.
 */
import { randomUUID } from 'node:crypto';
import { type Exchange, type ScriptedProvider, startScriptedProvider } from './scripted-provider.ts';

/** An answer that it began. */
export type BegunAnswer = { id: string; prompt: string; startedMs: number; looks: number; isCancelled: boolean };

export type BackgroundProvider = Pick<ScriptedProvider, 'url' | 'requests' | 'stop'> & {
  /** What a worker needs to call it. */
  environment: Record<string, string>;
  /** All that was begun about a prompt. */
  begun(prompt?: string): BegunAnswer[];
  /** How the next request that begins with this method and path is answered, in place of its own way. */
  next(start: string, answer: (exchange: Exchange) => void): void;
  /** What is done when the next such request has been taken in, before it is answered. */
  upon(start: string, action: () => void): void;
  /** What answers that are there look like, over the plain one. */
  looksLike(fields: object): void;
};

export const BACKGROUND_USAGE = { input_tokens: 11, output_tokens: 7, total_tokens: 18 };
type Body = { model?: string; background?: boolean; store?: boolean; stream?: boolean };

export async function startBackgroundProvider(): Promise<BackgroundProvider> {
  const server = await startScriptedProvider();
  const all = new Map<string, BegunAnswer>();
  const planned: { start: string; answer: (exchange: Exchange) => void }[] = [];
  const awaited: { start: string; action: () => void }[] = [];
  let like: object = {};

  function documentOf({ id, prompt, startedMs, isCancelled }: BegunAnswer): object {
    const seconds = Number(/\[seconds=([\d.]+)\]/.exec(prompt)?.[1] ?? 0);
    const plain = { id, object: 'response', model: 'gpt-4o-mini-2024-07-18', background: true, error: null };
    if (isCancelled) return { ...plain, status: 'cancelled', output: [], usage: null };
    if (Date.now() - startedMs < seconds * 1_000) return { ...plain, status: 'in_progress', output: [], usage: null };
    const content = [{ type: 'output_text', text: 'Done.', annotations: [] }];
    const output = [{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content }];
    return { ...plain, status: 'completed', output, usage: BACKGROUND_USAGE, ...like };
  }

  server.answerWith((exchange) => {
    const { method, path, body, json } = exchange;
    const at = planned.findIndex(({ start }) => `${method} ${path}`.startsWith(start));
    if (at >= 0) return planned.splice(at, 1)[0]?.answer(exchange);
    const uponAt = awaited.findIndex(({ start }) => `${method} ${path}`.startsWith(start));
    const { action: act = () => {} } = uponAt >= 0 ? (awaited.splice(uponAt, 1)[0] ?? {}) : {};
    const [, id = '', action] = /^\/v1\/responses\/([^/]+)(\/cancel)?$/.exec(path) ?? [];
    if (method === 'POST' && path === '/v1/responses') {
      const { background, store, stream } = body as Body;
      if (!background || !store || stream) return json(400, { error: { message: 'Only in the background.' } });
      const begun = {
        id: `resp_${randomUUID().slice(0, 8)}`,
        prompt: JSON.stringify(body),
        startedMs: Date.now(),
        looks: 0,
      };
      all.set(begun.id, { ...begun, isCancelled: false });
      act();
      const headers = { 'x-request-id': `req-${all.size}` };
      return json(200, { id: begun.id, object: 'response', status: 'queued', output: [], usage: null }, headers);
    }
    const known = all.get(id);
    if (!known)
      return json(404, { error: { message: `Response with id '${id}' not found.`, type: 'invalid_request_error' } });
    if (action) known.isCancelled = true;
    else known.looks += 1;
    act();
    json(200, documentOf(known), { 'x-request-id': 'req-of-a-look' });
  });

  return {
    url: server.url,
    requests: server.requests,
    stop: server.stop,
    environment: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: `${server.url}/v1` },
    begun: (prompt = '') => [...all.values()].filter((begun) => begun.prompt.includes(prompt)),
    next: (start, answer) => void planned.push({ start, answer }),
    upon: (start, action) => void awaited.push({ start, action }),
    looksLike(fields) {
      like = fields;
    },
  };
}
