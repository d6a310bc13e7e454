/**
 * The provider of the jobs that are there to be broken: speaks OpenAI's Chat Completions, counts each call as it arrives,
 * and does what the prompt says in brackets: `[break-it <job_id> seconds=6 rate_limit=1]`, or `cut=1`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Counts } from './break-it-counts.ts';

/** The name of its model. */
export const BREAK_IT_MODEL = 'break-it';

type Directions = {
  jobId?: string | undefined;
  /** How long an answer takes. */
  seconds: number;
  /** The first call is refused, to come again after so many seconds; 0: it is not. */
  rate_limit: number;
  /** The first call's answer is cut off in the middle, unless 0. */
  cut: number;
};

const DIRECTIONS = /\[break-it ([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})((?: [a-z_]+=\d{1,2})*)\]/i;
const USUALLY: Directions = { seconds: 3, rate_limit: 0, cut: 0 };
const PIECE_MS = 100;
const PIECES_LEAST = 10;
const WORDS = 'This answer takes its time, so that there is time to break what writes it down. '.match(/\S+ /g) ?? [];

/** Answers one request; `counts` hears of it first. */
export function breakItProvider(counts: Counts): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const chunks: Buffer[] = [];
    response.on('error', () => {});
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const directions = directionsIn(Buffer.concat(chunks).toString());
      const isFirst = counts.called(directions.jobId) === 1;
      void answer(response, isFirst ? directions : { ...directions, rate_limit: 0, cut: 0 });
    });
  };
}

function directionsIn(body: string): Directions {
  const [, jobId, said = ''] = DIRECTIONS.exec(body) ?? [];
  const pairs = [...said.matchAll(/ ([a-z_]+)=(\d+)/g)].map(([, name, value]) => [name, Number(value)]);
  return { ...USUALLY, ...Object.fromEntries(pairs), jobId: jobId?.toLowerCase() };
}

async function answer(response: ServerResponse, { seconds, rate_limit, cut }: Directions): Promise<void> {
  if (rate_limit > 0) {
    const error = { message: 'Too many requests.', type: 'requests', code: 'rate_limit_exceeded' };
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': String(rate_limit) });
    response.end(JSON.stringify({ error }));
    return;
  }
  const pieces = Math.max(PIECES_LEAST, (seconds * 1_000) / PIECE_MS);
  const send = (choices: object[], more = {}) => {
    const chunk = { id: 'chatcmpl-break-it', object: 'chat.completion.chunk', model: BREAK_IT_MODEL, choices, ...more };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let piece = 0; piece < pieces; piece++) {
    send([{ index: 0, delta: { role: 'assistant', content: WORDS[piece % WORDS.length] }, finish_reason: null }]);
    await sleep((seconds * 1_000) / pieces);
    // Whoever asked may be dead by now.
    if (response.destroyed) return;
    if (cut > 0 && piece >= pieces / 2) return void response.socket?.resetAndDestroy();
  }
  send([{ index: 0, delta: {}, finish_reason: 'stop' }]);
  send([], { usage: { prompt_tokens: 20, completion_tokens: pieces, total_tokens: 20 + pieces } });
  response.end('data: [DONE]\n\n');
}
