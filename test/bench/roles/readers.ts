/**
 * Readers of jobs, thousands of them in one process that does little else: each has a connection of its own, and waits by
 * `?wait=` again and again, or on the stream, until its job is over. All times are this process's own.
 */
import { connect, type Socket } from 'node:net';
import { serveRole } from '../support/role.ts';

export type Way = 'poll' | 'stream';
/** When a reader was told of the end of its job; `NaN` as long as it was not. */
export type Told = { job: string; atMs: number };
export type Wanted = { baseUrl: string; way: Way; jobs: string[]; readers: number };
/** What was heard of tokens that say when they were sent. */
export type Heard = { tookMs: number[]; firstSentMs: number; lastMs: number };

type Reader = { socket: Socket; told: Told };

const OPENED_AT_ONCE = 32;
const nowMs = () => performance.timeOrigin + performance.now();
let open: Reader[] = [];
let heard: Heard = nothing();

function nothing(): Heard {
  return { tookMs: [], firstSentMs: Number.POSITIVE_INFINITY, lastMs: 0 };
}

function requestOf({ hostname, port }: URL, job: string, way: Way): string {
  const path = `/api/llm/jobs/${job}/${way === 'poll' ? 'status/?wait=55' : 'stream/'}`;
  return `GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`;
}

/** Resolves when its request is sent, on a stream: when it has heard of the job. */
function openOne(url: URL, job: string, way: Way): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const told = { job, atMs: Number.NaN };
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    const reader = { socket, told };
    const ask = () => void socket.write(requestOf(url, job, way));
    socket.once('connect', ask).once('error', reject).setEncoding('latin1');
    if (way === 'poll') {
      socket.once('connect', () => resolve(reader));
      socket.on('data', pollHeard(told, ask));
    } else {
      socket.on(
        'data',
        streamHeard(told, () => resolve(reader)),
      );
    }
  });
}

/** One answer after the other; one of a job that is not over is followed by the same question. */
function pollHeard(told: Told, again: () => void): (text: string) => void {
  let text = '';
  return (part) => {
    const atMs = nowMs();
    text += part;
    const headEnd = text.indexOf('\r\n\r\n');
    const bytes = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    if (headEnd < 0 || text.length < headEnd + 4 + bytes) return;
    if (text.includes('"is_complete":true')) told.atMs = atMs;
    else again();
    text = '';
  };
}

/** Events as they come; of the tokens in them, which say when they were sent, how long they took. */
function streamHeard(told: Told, opened: () => void): (text: string) => void {
  let text = '';
  return (part) => {
    const atMs = nowMs();
    const events = (text + part).split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      if (event.includes('event: snapshot')) opened();
      else if (event.includes('event: done')) told.atMs = atMs;
      else if (event.includes('event: delta')) hearTokens(event, atMs);
    }
  };
}

function hearTokens(event: string, atMs: number): void {
  for (const [sent] of event.matchAll(/\d{13}\.\d{3}/g)) {
    heard.tookMs.push(atMs - Number(sent));
    heard.firstSentMs = Math.min(heard.firstSentMs, Number(sent));
    heard.lastMs = Math.max(heard.lastMs, atMs);
  }
}

serveRole({
  /** Opens readers of these jobs in turn, and resolves when all wait. */
  async open({ baseUrl, way, jobs, readers }: Wanted) {
    const url = new URL(baseUrl);
    let begun = 0;
    const openMany = async () => {
      while (begun < readers) open.push(await openOne(url, jobs[begun++ % jobs.length] ?? '', way));
    };
    await Promise.all(Array.from({ length: OPENED_AT_ONCE }, openMany));
  },
  told: () => open.map(({ told }) => told),
  /** What was heard of tokens since it was asked last. */
  heard() {
    const answer = heard;
    heard = nothing();
    return answer;
  },
  /** All go. */
  leave() {
    for (const { socket } of open) socket.destroy();
    open = [];
  },
});
