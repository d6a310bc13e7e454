/**
 * OpenAI's Responses API, streamed, over a real socket: `LATENCY_MS` before the first token, `TOKENS` tokens, at
 * `TOKENS_PER_SECOND`, or, without it, all at once.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { PROTOCOLS } from '../../providers/protocols.ts';
import { serveRole } from '../support/role.ts';

const { LATENCY_MS = '0', TOKENS = '8', TOKENS_PER_SECOND = '0' } = process.env;
const [responses] = PROTOCOLS;
if (!responses) throw new Error('no protocol');
const { opening, delta, ending } = responses;
const deltas = Array.from({ length: Number(TOKENS) }, (_, n) => delta(` word${n}`));
const everyMs = 1_000 / Number(TOKENS_PER_SECOND);

let calls = 0;
const server = createServer(async (request, response) => {
  request.resume();
  await new Promise((resolve) => request.once('end', resolve));
  calls += 1;
  if (LATENCY_MS !== '0') await pause(Number(LATENCY_MS));
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': `req-${calls}` });
  if (!Number.isFinite(everyMs)) {
    response.end(opening + deltas.join('') + ending);
    return;
  }
  response.write(opening);
  const startedMs = performance.now();
  for (const [n, text] of deltas.entries()) {
    await pause(Math.max(0, startedMs + n * everyMs - performance.now()));
    response.write(text);
  }
  response.end(ending);
});
server.keepAliveTimeout = 60_000;
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
serveRole({
  /** What a worker needs to call it. */
  environment: () => ({
    OPENAI_API_KEY: 'sk-bench',
    OPENAI_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
  }),
  calls: () => calls,
});
