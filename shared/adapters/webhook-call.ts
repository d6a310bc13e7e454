/** One POST over a connection of its own, to the addresses that were judged and no others. */
import type { IncomingMessage } from 'node:http';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { DELIVERY_MS_MOST, type Sent } from '../core/notices.ts';
import type { Clock } from '../core/ports.ts';
import { askedPauseMs } from '../core/retry-after.ts';
import { timeLimit } from '../core/within.ts';
import { addressIn } from './webhook-rules.ts';

export type CallOptions = {
  clock: Clock;
  /** May this address be called? */
  isAllowed: (address: string) => boolean;
  /** All addresses of a name. */
  lookup: (name: string) => Promise<string[]>;
  /** Trusted instead of the well-known authorities, in PEM. */
  ca?: string | undefined;
};

/** What became of a call. */
type Outcome = Sent extends infer Each ? (Each extends Sent ? Omit<Each, 'ms'> : never) : never;
type Failed = Extract<Outcome, { delivered: false }>;

type TimeLimit = ReturnType<typeof timeLimit>;
type Post = { url: URL; headers: { [name: string]: string }; body: string };

/** Of an answer's body nothing is of interest; so much is read, so that its sender need not see a cut connection. */
const DRAINED_BYTES_MOST = 65_536;
/** Nor for longer: who answered has no place of those who are called any more. */
const DRAINED_MS_MOST = 1_000;
/** `102 Processing` and its like come as fast as a receiver can write, and each costs us time that others' jobs need. */
const ANNOUNCEMENTS_MOST = 100;
/** Where a name has several addresses: Node's own patience, 250 ms, is less than the way to the other side of the world. */
const ADDRESS_PATIENCE_MS = 2_000;
/** Of each family. Whoever names a thousand addresses would have a thousand strangers called for each try. */
const ADDRESSES_MOST = 4;

const TIMEOUT = failed('timeout', `The receiver did not answer within ${DELIVERY_MS_MOST / 1_000} seconds.`);
const NOT_PUBLIC = failed('refused', 'The name of the host leads to an address that is not public.');
const UNRESOLVED = failed('network', 'The name of the host could not be resolved.');
const ANNOUNCED = failed('network', 'The receiver announced its answer too often.');
const CUT = failed('network', 'The receiver closed the connection before it answered.');

/** Never throws; over within `DELIVERY_MS_MOST`, the reading of the answer's body too. */
export function call(post: Post, options: CallOptions): Promise<Outcome> {
  const limit = timeLimit(options.clock, DELIVERY_MS_MOST);
  const isOver = new Promise<Outcome>((resolve) => limit.signal.addEventListener('abort', () => resolve(TIMEOUT)));
  const answered = callInTime(post, options, limit).catch((error: unknown) => {
    limit.end();
    return networkFailure(error);
  });
  return Promise.race([isOver, answered]);
}

async function callInTime(post: Post, options: CallOptions, limit: TimeLimit): Promise<Outcome> {
  const addresses = await addressesFor(post.url, options);
  if (Array.isArray(addresses) && !limit.signal.aborted) return exchange(post, addresses, options, limit);
  limit.end();
  return Array.isArray(addresses) ? TIMEOUT : addresses;
}

async function addressesFor(url: URL, { lookup, isAllowed }: CallOptions): Promise<string[] | Failed> {
  const literal = addressIn(url);
  if (literal !== undefined) return [literal];
  try {
    const addresses = await lookup(url.hostname);
    // One that is not public among others is a sign that somebody tries: whom we call would be a matter of luck.
    if (!addresses.every(isAllowed)) return NOT_PUBLIC;
    const some = [4, 6].flatMap((of) => addresses.filter((one) => isIP(one) === of).slice(0, ADDRESSES_MOST));
    return some.length > 0 ? some : UNRESOLVED;
  } catch (error) {
    return failed('network', UNRESOLVED.message, error);
  }
}

function exchange(
  { url, headers, body }: Post,
  addresses: readonly string[],
  { isAllowed, clock, ca }: CallOptions,
  { signal, end }: TimeLimit,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      ...{ method: 'POST', headers, signal, lookup: only(addresses) },
      ...{ agent: false, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: ADDRESS_PATIENCE_MS },
      // Whatever the environment says.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    });
    request.on('socket', (socket: Socket) => {
      // Before the first byte of HTTP: the address that it really is.
      socket.once('connect', () => {
        if (socket.remoteAddress === undefined || isAllowed(socket.remoteAddress)) return;
        resolve(NOT_PUBLIC);
        request.destroy();
      });
    });
    let announcements = 0;
    request.on('information', () => {
      announcements += 1;
      if (announcements <= ANNOUNCEMENTS_MOST) return;
      resolve(ANNOUNCED);
      request.destroy();
    });
    request.on('response', (response) => {
      resolve(outcomeOf(response, clock.nowMs()));
      drain(response, clock);
    });
    request.on('error', (error) => resolve(signal.aborted ? TIMEOUT : networkFailure(error)));
    request.on('close', () => {
      end();
      resolve(CUT);
    });
    request.end(body);
  });
}

/** In place of a resolver, who might answer something else the second time. */
function only(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_name, { all }, callback) => {
    const [first = { address: '', family: 0 }] = found;
    if (all) callback(null, found);
    else callback(null, first.address, first.family);
  };
}

function outcomeOf({ statusCode: status = 0, headers }: IncomingMessage, nowMs: number): Outcome {
  if (status >= 200 && status < 300) return { delivered: true, status };
  const retryAfterMs = askedPauseMs(headers['retry-after'], headers.date, nowMs);
  const facts = { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  if (status === 410) return { ...failed('gone', 'The receiver answered 410: it wants no more.'), ...facts };
  const isRedirect = status >= 300 && status < 400;
  const sentence = `The receiver answered ${status}${isRedirect ? ', and redirects are not followed' : ''}.`;
  return { ...failed(isRedirect ? 'redirect' : 'status', sentence), ...facts };
}

function drain(response: IncomingMessage, clock: Clock): void {
  let bytes = 0;
  response.on(
    'close',
    clock.setTimer(() => response.destroy(), DRAINED_MS_MOST),
  );
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DRAINED_BYTES_MOST) response.destroy();
  });
  // Cut in the middle: the answer was in its first line.
  response.on('error', () => {});
}

/** In our words: Node's own sentences name hosts and addresses. */
function networkFailure(error: unknown): Failed {
  const code = codeOf(error);
  if (code === 'ECONNRESET' || code === 'EPIPE') return CUT;
  return failed('network', sentenceOf(code), error);
}

function sentenceOf(code: string): string {
  if (code === 'ECONNREFUSED') return 'The receiver refused the connection.';
  if (code.startsWith('HPE_')) return 'The receiver answered something that is not HTTP.';
  if (/CERT|UNABLE_TO_/.test(code)) return "The receiver's certificate is not trusted.";
  if (/SSL|TLS|EPROTO/.test(code)) return 'No TLS connection could be made.';
  return 'The receiver could not be reached.';
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}

/** With what Node calls it, where it has a name. */
function failed(failure: Failed['failure'], message: string, error: unknown = {}): Failed {
  const code = codeOf(error);
  return { delivered: false, failure, message: code === '' ? message : message.replace(/\.$/, ` (${code}).`) };
}
