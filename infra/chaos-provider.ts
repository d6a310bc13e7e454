/**
 * The provider of a chaos run: a real server that speaks OpenAI's Responses API, is as slow and as broken as its temper
 * says, and remembers every call: for which job it was, which worker made it, and what it was answered.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../test/simulation/random.ts';

/** How it answers: how long an answer usually takes, and the shares of the calls that get something else. */
export type Temper = {
  fastestMs: number;
  slowestMs: number;
  /** Says more than fits into a document. */
  rambles: number;
  /** Takes three times as long as the slowest. */
  crawls: number;
  /** The connection is reset in the middle. */
  cuts: number;
  /** 429, with a `Retry-After`. */
  refuses: number;
  /** 503. */
  overloaded: number;
};

/** One that always answers. */
export const KIND: Temper = {
  fastestMs: 300,
  slowestMs: 3_000,
  rambles: 0,
  crawls: 0,
  cuts: 0,
  refuses: 0,
  overloaded: 0,
};
export const MOODY: Temper = {
  ...{ fastestMs: 100, slowestMs: 4_000 },
  ...{ rambles: 0.02, crawls: 0.03, cuts: 0.04, refuses: 0.04, overloaded: 0.04 },
};

/** `abandoned`: whoever called went away. */
export type CallEnd = 'under way' | 'answered' | 'cut' | 'refused' | 'overloaded' | 'abandoned';
/** `worker` is its number. `text` is the whole answer, whether all of it was sent or not. */
export type ProviderCall = { mark: string; worker: number; text: string; end: CallEnd };

export type ChaosProvider = {
  /** As `OPENAI_BASE_URL` takes it; each worker has its own, by which its calls are known. */
  baseUrlFor(worker: number): string;
  calls: readonly ProviderCall[];
  /** How many calls a worker is waiting for now: it holds at least as many jobs. */
  underWay(worker: number): number;
  /** Ends the answers that a worker waits for now, whole and at once. */
  hurry(worker: number): void;
  stop(): Promise<void>;
};

/** What the prompt of a job holds and nobody else writes: by it a call is known, and a leak. */
const MARK = /canary-chaos-[0-9a-f]{8}/;
/** The key that the workers are given; it must be in no log either. */
export const CHAOS_KEY = 'sk-chaos-0123456789abcdef';

/** A mark for a new job. */
export function newMark(luck: Chance): string {
  return `canary-chaos-${luck.uuid().slice(0, 8)}`;
}

/** The mark in a text, if there is one. */
export function markIn(text: string): string | undefined {
  return MARK.exec(text)?.[0];
}

const REQUEST_ID = { 'x-request-id': 'req-chaos' };
export async function startChaosProvider(luck: Chance, temper: Temper): Promise<ChaosProvider> {
  const calls: ProviderCall[] = [];
  const paces = new Map<ProviderCall, Pace>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const mark = markIn(Buffer.concat(chunks).toString()) ?? 'no mark';
      const worker = Number(/^\/worker-(\d+)\//.exec(request.url ?? '')?.[1]);
      const words = luck.happens(temper.rambles) ? luck.between(60_000, 200_000) : luck.between(3, 60);
      const text = `Answer ${calls.length + 1} about ${mark}: ${'word '.repeat(words)}`;
      const call: ProviderCall = { mark, worker, text, end: 'under way' };
      calls.push(call);
      response.on('error', () => {});
      response.on('close', () => {
        if (call.end === 'under way') call.end = 'abandoned';
        paces.delete(call);
      });
      const pace = paceOf();
      paces.set(call, pace);
      void answer(response, call, { luck: luck.fork(), temper, pace });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrlFor: (worker) => `http://127.0.0.1:${port}/worker-${worker}/v1`,
    calls,
    underWay: (worker) => calls.filter((call) => call.worker === worker && call.end === 'under way').length,
    hurry(worker) {
      for (const [call, pace] of paces) if (call.worker === worker) pace.hurry();
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Pauses that can be cut short, all that come. */
type Pace = { pause(ms: number): Promise<unknown>; hurry(): void };

function paceOf(): Pace {
  const hurried = new AbortController();
  return {
    pause: (ms) => sleep(ms, undefined, { signal: hurried.signal }).catch(() => undefined),
    hurry: () => hurried.abort(),
  };
}

async function answer(
  response: ServerResponse,
  call: ProviderCall,
  { luck, temper, pace }: { luck: Chance; temper: Temper; pace: Pace },
): Promise<void> {
  if (luck.happens(temper.refuses)) {
    call.end = 'refused';
    const retryAfter = Math.ceil(luck.between(0, 3));
    return fail(response, 429, { code: 'rate_limit_exceeded' }, { 'retry-after': String(retryAfter) });
  }
  if (luck.happens(temper.overloaded)) {
    call.end = 'overloaded';
    return fail(response, 503, { code: 'server_error' });
  }
  const usualMs = luck.between(temper.fastestMs, temper.slowestMs);
  const totalMs = luck.happens(temper.crawls) ? 3 * temper.slowestMs : usualMs;
  const pieces = Math.ceil(luck.between(2, 7));
  const cutAt = luck.happens(temper.cuts) ? Math.floor(luck.between(1, pieces)) : undefined;
  const size = Math.ceil(call.text.length / pieces);
  response.writeHead(200, { 'content-type': 'text/event-stream', ...REQUEST_ID });
  response.write(event({ type: 'response.created', response: { id: 'resp_1', status: 'in_progress' } }));
  for (let piece = 0; piece < pieces; piece++) {
    await pace.pause(totalMs / pieces);
    if (call.end !== 'under way') return;
    if (piece === cutAt) {
      call.end = 'cut';
      return void response.socket?.resetAndDestroy();
    }
    const delta = call.text.slice(piece * size, (piece + 1) * size);
    response.write(event({ type: 'response.output_text.delta', delta }));
  }
  // Before the last byte goes out: it may arrive, whatever becomes of the connection.
  call.end = 'answered';
  const usage = { input_tokens: 11, output_tokens: 7, total_tokens: 18 };
  response.end(event({ type: 'response.completed', response: { id: 'resp_1', status: 'completed', usage } }));
}

function event(value: { type: string; [field: string]: unknown }): string {
  return `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
}

function fail(response: ServerResponse, status: number, error: object, headers: Record<string, string> = {}): void {
  response
    .writeHead(status, { 'content-type': 'application/json', ...REQUEST_ID, ...headers })
    .end(JSON.stringify({ error: { message: 'Not now.', ...error } }));
}
