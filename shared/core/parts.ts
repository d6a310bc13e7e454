/**
 * Values that are too large for their job's document, as parts beside it. A set of parts is complete before the document
 * names it, and each part is compared with the digest there before anybody is given it. A set that no document came to
 * name (its writer died) is found again by its `checkAt`.
 */
import { ServiceError } from './errors.ts';
import { sha256Hex } from './ids.ts';
import { isTerminal, type Job, type JobKey, type Json } from './job.ts';
import { jsonPieces } from './json-bytes.ts';
import type { PartSet } from './part-set.ts';
import type { PartSetKey, PartStore } from './part-store.ts';
import { UNREAD_MS } from './payloads.ts';
import { DEFAULT_RETENTION_MS } from './retention.ts';
import { isOfNewerVersion } from './schema-version.ts';

/** So many bytes of JSON are kept in the document itself. */
export const INLINE_BYTES_MOST = 256 * 1024;
/** Firestore takes 1 MiB in a document, and hangs on commits over 4 MiB. */
const PART_BYTES_MOST = 768 * 1024;
/** Whoever writes a set names it long before, or never. */
export const CHECK_AFTER_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** So many parts are on their way at once. */
const AT_ONCE = 3;

const encoder = new TextEncoder();
/** A piece may begin with U+FEFF, which is text like any other there. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A value as JSON in UTF-8, in pieces that are cut between characters, where it is too large for the document. */
export function tooLargeInline(value: Json): Iterable<Uint8Array> | undefined {
  const pieces = jsonPieces(value);
  let bytes = 0;
  for (const piece of pieces) {
    bytes += piece.length;
    if (bytes > INLINE_BYTES_MOST) return pieces;
  }
  return undefined;
}

/** Until when the parts of a job that is over at this instant, or submitted at it, may be asked for. */
export function partsDeleteAt({ store, retentionMs = DEFAULT_RETENTION_MS }: Job, endsAt: number): number {
  // A day more than they are shown: clocks differ, and nobody is given what has expired.
  return endsAt + DAY_MS + (store === false ? UNREAD_MS : retentionMs);
}

/**
 * Stores a set of parts, each of which is put together when its turn has come. Throws `store_unavailable`; what was stored by
 * then is found by its `checkAt`. Nothing is on its way any more when it is over: a part that came after the removal of its
 * set would be found by nobody.
 */
export async function putParts(
  store: PartStore,
  key: PartSetKey,
  pieces: Iterable<Uint8Array>,
  { deleteAt, checkAt }: { deleteAt: number; checkAt: number },
): Promise<PartSet> {
  const parts = cut(pieces);
  const sha256: string[] = [];
  let [bytes, begun] = [0, 0];
  const put = async (part: Uint8Array) => {
    const index = begun++;
    bytes += part.length;
    // Computed beside this thread: where the store writes at once, others have their turn between two parts.
    sha256[index] = await sha256Hex(part);
    await store.put(key, {
      n: index + 1,
      text: decoder.decode(part),
      deleteAt,
      checkAt: index === 0 ? checkAt : undefined,
    });
  };
  // Before the others: it is what finds them, should they be left alone.
  const first = parts.next();
  if (!first.done) await put(first.value);
  let hasFailed = false;
  const lane = async () => {
    for (const part of parts) {
      if (hasFailed) return;
      await put(part).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
  for (const done of lanes) if (done.status === 'rejected') throw done.reason;
  return { name: key.set, bytes, sha256 };
}

/** The texts of a set, one after the other. Throws `store_unavailable`, or `internal_error` when one is not what was stored. */
export async function* readParts(store: PartStore, key: JobKey, set: PartSet): AsyncGenerator<string> {
  for (const [index, digest] of set.sha256.entries()) {
    const text = await store.get({ tenant: key.tenant, id: key.id, set: set.name }, index + 1);
    if (text === undefined || (await sha256Hex(encoder.encode(text))) !== digest) {
      throw new ServiceError('internal_error', 'A part of what was stored is missing or damaged.');
    }
    yield text;
  }
}

/** The value that a set holds. Throws as `readParts` does. */
export async function valueIn(store: PartStore, key: JobKey, set: PartSet): Promise<Json> {
  const texts: string[] = [];
  for await (const text of readParts(store, key, set)) texts.push(text);
  return JSON.parse(texts.join('')) as Json;
}

/** A set of one job, once more beside another one. Throws as `readParts` and `putParts` do. */
export async function copyParts(
  store: PartStore,
  { from, set }: { from: JobKey; set: PartSet },
  to: PartSetKey,
  times: { deleteAt: number; checkAt: number },
): Promise<PartSet> {
  const texts: string[] = [];
  for await (const text of readParts(store, from, set)) texts.push(text);
  const pieces = texts.map((text) => encoder.encode(text));
  return putParts(store, to, pieces, times);
}

/** The input of a job, whole. Throws as `readParts` does. */
export async function wholeInput(store: PartStore, { job, input }: { job: Job; input: Json }): Promise<Json> {
  const set = job.parts?.input;
  return set ? valueIn(store, job, set) : input;
}

/** Does the job name this set? */
export function names(job: Job, set: string): boolean {
  return Object.values(job.parts ?? {}).some((named) => named?.name === set);
}

/** What is to be done about a set that is due to be checked: whoever writes it may still be about to name it. */
export function checkOf(job: Job | undefined, set: string): 'keep' | 'wait' | 'remove' {
  if (!job) return 'remove';
  if (names(job, set)) return 'keep';
  // It may name its parts elsewhere.
  if (isOfNewerVersion(job)) return 'wait';
  return !isTerminal(job.state) && set.includes(job.token) ? 'wait' : 'remove';
}

/** The same bytes in parts as large as they may be, cut between characters. */
function* cut(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let part = new Uint8Array(PART_BYTES_MOST);
  let bytes = 0;
  for (let piece of pieces) {
    while (piece.length > 0) {
      let end = Math.min(piece.length, PART_BYTES_MOST - bytes);
      while (end < piece.length && isWithinCharacter(piece[end])) end -= 1;
      part.set(piece.subarray(0, end), bytes);
      bytes += end;
      piece = piece.subarray(end);
      if (piece.length === 0) break;
      yield part.subarray(0, bytes);
      part = new Uint8Array(PART_BYTES_MOST);
      bytes = 0;
    }
  }
  if (bytes > 0) yield part.subarray(0, bytes);
}

function isWithinCharacter(byte: number | undefined): boolean {
  return ((byte ?? 0) & 0xc0) === 0x80;
}
