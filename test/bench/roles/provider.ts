/**
 * OpenAI's Responses API, streamed, over a real socket: `LATENCY_MS` before the first token, `TOKENS` tokens, at
 * `TOKENS_PER_SECOND`, or, without it, all at once. A prompt may ask for something else: `[bench bytes=N]` for an answer of
 * this size, as fast as it is taken, its last events repeating it as OpenAI's do; `[bench hold=NAME]` for one that ends when
 * it is released; `[bench clock=N every=MS]` for so many tokens, each of which says when it was sent.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { PROTOCOLS } from '../../providers/protocols.ts';
import { largeFrames } from '../../support/large-answers.ts';
import { serveRole } from '../support/role.ts';

const { LATENCY_MS = '0', TOKENS = '8', TOKENS_PER_SECOND = '0' } = process.env;
const [responses] = PROTOCOLS;
if (!responses) throw new Error('no protocol');
const { opening, delta, ending } = responses;
const deltas = Array.from({ length: Number(TOKENS) }, (_, n) => delta(` word${n}`));
const everyMs = 1_000 / Number(TOKENS_PER_SECOND);
const nowMs = () => performance.timeOrigin + performance.now();

let calls = 0;
const server = createServer(async (request, response) => {
  const script = /\[bench (\w+)=(\w+)(?: every=(\d+))?\]/.exec(await textOf(request));
  calls += 1;
  if (LATENCY_MS !== '0') await pause(Number(LATENCY_MS));
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': `req-${calls}` });
  const [, what, value = '', every] = script ?? [];
  if (what === 'bytes') return sendLarge(response, Number(value));
  if (what === 'hold') return hold(response, value);
  if (what === 'clock') return sendPaced(response, Number(value), Number(every), () => delta(` ${nowMs().toFixed(3)}`));
  if (Number.isFinite(everyMs)) return sendPaced(response, deltas.length, everyMs, (n) => deltas[n] ?? '');
  response.end(opening + deltas.join('') + ending);
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  request.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await once(request, 'end');
  return text;
}

async function sendPaced(response: ServerResponse, tokens: number, everyMs: number, token: (n: number) => string) {
  response.write(opening);
  const startedMs = performance.now();
  for (let n = 0; n < tokens && !response.destroyed; n++) {
    await pause(Math.max(0, startedMs + n * everyMs - performance.now()));
    response.write(token(n));
  }
  response.end(ending);
}

/** Made once: what is measured must not wait for it. */
const large = new Map<number, Buffer>();
const SENTENCE = 'The analysis shows that é 分析 👩‍🔬 all is fine. ';
/** A reader gets no more at once from a network either. */
const PIECE_BYTES = 64 * 1_024;

function framesOf(bytes: number): Buffer {
  const known = large.get(bytes);
  if (known || !responses) return known ?? Buffer.alloc(0);
  const text = SENTENCE.repeat(Math.ceil(bytes / Buffer.byteLength(SENTENCE)));
  const frames = Buffer.from([...largeFrames(responses, text)].join(''));
  large.set(bytes, frames);
  return frames;
}

async function sendLarge(response: ServerResponse, bytes: number): Promise<void> {
  const frames = framesOf(bytes);
  const hasGone = once(response, 'close');
  for (let at = 0; at < frames.byteLength && !response.destroyed; at += PIECE_BYTES) {
    if (!response.write(frames.subarray(at, at + PIECE_BYTES))) await Promise.race([once(response, 'drain'), hasGone]);
  }
  response.end();
}

/** Answers that have begun, by the name under which they are released. */
const held = new Map<string, ServerResponse>();

function hold(response: ServerResponse, name: string): void {
  response.write(opening + deltas.join(''));
  held.set(name, response);
}

server.keepAliveTimeout = 60_000;
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
serveRole({
  /** What a worker needs to call it. */
  environment: () => ({
    OPENAI_API_KEY: 'sk-bench',
    OPENAI_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
  }),
  calls: () => calls,
  /** Makes an answer of this size before it is asked for. */
  prepare: (bytes: number) => framesOf(bytes).byteLength,
  /** How many answers are held. */
  held: () => held.size,
  /** Ends an answer that is held, and tells when: not later than its job can be over. */
  release(name: string) {
    const response = held.get(name);
    if (!response) throw new Error(`no answer of ${name} is held`);
    held.delete(name);
    const atMs = nowMs();
    response.end(ending);
    return atMs;
  },
});
