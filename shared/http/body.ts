/** What a request body must be before any route looks at it: JSON in UTF-8, not too large, storable. */
import type { MiddlewareHandler } from 'hono';
import { type FieldError, invalidRequest, ServiceError } from '../core/errors.ts';
import { findTooMany, findUnstorable } from '../core/field-errors.ts';
import type { Json } from '../core/job.ts';

/**
 * The largest input, written as UTF-8, with the fields around it; as much as a Pub/Sub message may have. One that writes
 * most of its text with escapes of six bytes may be refused.
 */
export const BODY_BYTES_MOST = 10 * 1024 * 1024;

/** Of a body that holds many. To parse twice as much, the worst there is, takes more than two seconds. */
export const BATCH_BODY_BYTES_MOST = 4 * 1024 * 1024;

const DISCARDED_BYTES_MOST = 16 * 1024 * 1024;

const LARGE_CHARACTERS = 1024 * 1024;

/** Of a small body its own copy in memory is cheap. */
const SMALL_BYTES = 256 * 1024;

/** Whoever sends slower than that holds memory for nothing. */
const BODY_MS_MOST = 30_000;

const JSON_TYPE = /^application\/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i;

/**
 * Refuses a body that is not JSON (415), too large (413), malformed or not storable (400). No body is no error here. That
 * of a batch holds many, and whether each can be stored is for its route to say.
 */
export const checkBody =
  (isBatch: (request: { method: string; path: string }) => boolean): MiddlewareHandler =>
  async (context, next) => {
    const { raw } = context.req;
    const holdsMany = isBatch(context.req);
    if (!hasBody(raw)) return next();
    if (!JSON_TYPE.test(raw.headers.get('content-type') ?? '')) {
      throw new ServiceError('unsupported_media_type', 'The body must be JSON, with Content-Type: application/json.');
    }
    const encoding = raw.headers.get('content-encoding');
    if (encoding !== null && encoding !== 'identity') {
      throw new ServiceError('unsupported_media_type', 'The body must not be compressed (Content-Encoding).');
    }
    const text = decodeUtf8(await readBody(raw, holdsMany ? BATCH_BODY_BYTES_MOST : BODY_BYTES_MOST));
    // An empty body of chunks is no body, as one of length 0 is none.
    if (text !== '') {
      const wrong = wrongIn(text, holdsMany);
      if (wrong) throw invalidRequest([wrong]);
    }
    // Whoever looks at a large one next does it in a turn of its own.
    if (text.length > LARGE_CHARACTERS) await new Promise((resolve) => setImmediate(resolve));
    // Read once, by us, so that its size is bounded; the routes' validators find it here.
    context.req.bodyCache.text = Promise.resolve(text === '' ? '{}' : text) as never;
    return next();
  };

/** For routes where no body is as good as `{}`, also from a client that names a type for it. */
export const noBodyNeeded: MiddlewareHandler = (context, next) => {
  if (!hasBody(context.req.raw)) context.req.bodyCache.text = Promise.resolve('{}') as never;
  return next();
};

/** Was a body sent, be it an empty one in chunks? */
export function hasBody(request: Request): boolean {
  if (request.method === 'GET' || request.method === 'HEAD') return false;
  return request.headers.has('transfer-encoding') || Number(request.headers.get('content-length') ?? 0) > 0;
}

/**
 * The body's bytes. One that is too large is read to its end, within bounds, and thrown away: a client that is still
 * sending would not see the answer.
 */
export async function readBody(request: Request, bytesMost: number): Promise<Uint8Array> {
  const length = Number(request.headers.get('content-length') ?? 0);
  if (length > 0 && length <= Math.min(bytesMost, SMALL_BYTES)) return readSmall(request);
  const chunks: Uint8Array[] = [];
  let bytes = length > DISCARDED_BYTES_MOST ? Infinity : 0;
  if (bytes === 0) {
    for await (const chunk of inTime(request)) {
      bytes += chunk.byteLength;
      if (bytes > DISCARDED_BYTES_MOST) break;
      if (bytes <= bytesMost) chunks.push(chunk);
    }
  }
  if (bytes <= bytesMost) return Buffer.concat(chunks);
  throw new ServiceError('input_too_large', `The body is larger than ${bytesMost} bytes.`);
}

/**
 * A body that is no longer than it says, which the server sees to. Read without a stream: to make that, and the request
 * around it, took a tenth of a submit.
 */
async function readSmall(request: Request): Promise<Uint8Array> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), BODY_MS_MOST);
  });
  try {
    return new Uint8Array(await Promise.race([request.arrayBuffer().catch(brokenOff), late]));
  } finally {
    clearTimeout(timer);
  }
}

/** The parts of a body. Throws `request_timeout` when they come too slowly. */
async function* inTime({ body }: Request): AsyncIterable<Uint8Array> {
  if (!body) return;
  const reader = body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel().catch(() => undefined);
  }, BODY_MS_MOST);
  try {
    const read = () => reader.read().catch(brokenOff);
    for (let part = await read(); !part.done; part = await read()) yield part.value;
    if (isLate) throw tooLate();
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => undefined);
  }
}

function tooLate(): ServiceError {
  return new ServiceError('request_timeout', `The body did not come within ${BODY_MS_MOST / 1_000} s.`);
}

/** A client that leaves is no fault of ours. */
function brokenOff(cause: unknown): never {
  throw new ServiceError('invalid_request', 'The body was broken off.', { cause });
}

/** Bytes that are no UTF-8 are refused, not replaced: the model would be asked something else. */
function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ServiceError('invalid_request', 'The body is not valid UTF-8.', { cause });
  }
}

function wrongIn(text: string, holdsMany: boolean): FieldError | undefined {
  const tooMany = holdsMany ? undefined : findTooMany(text);
  if (tooMany) return tooMany;
  const body = parseJson(text);
  return holdsMany ? undefined : findUnstorable(body);
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new ServiceError('invalid_request', 'The body is not valid JSON.', { cause });
  }
}
