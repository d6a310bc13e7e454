/** Job ids and fingerprints. Hashing is Web Crypto's, a global of every runtime we know. */
import type { Json } from './job.ts';
import { jsonBytes } from './json-bytes.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([1-8])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Can a job have this id? */
export function isJobId(id: string): boolean {
  return UUID.test(id);
}

/** Can a tenant have this name? It is a part of document names, before a `~`. */
export function isTenant(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name);
}

/** Can a user be called so? */
export function isUser(name: string): boolean {
  return /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]{1,300}$/u.test(name);
}

/** May a client choose this id? Versions 4 and 7; derived ids are version 8, so that nobody can squat on them. */
export function isClientJobId(id: string): boolean {
  const version = UUID.exec(id)?.[1];
  return version === '4' || version === '7';
}

/**
 * An idempotency key as it counts, the same over HTTP and in messages: trimmed, and without the quotes that the header's
 * draft asks for. `undefined` when it is none: 1 to 255 visible ASCII characters.
 */
export function normalizedKey(given: string): string | undefined {
  const key = /^"(.*)"$/.exec(given.trim())?.[1] ?? given.trim();
  return /^[\x20-\x7e]{1,255}$/.test(key) ? key : undefined;
}

/** What a wrong key is told. */
export const KEY_RULE = 'must be 1 to 255 visible ASCII characters';

/** The id that these words always give, a UUID of version 8. */
export async function derivedId(...words: string[]): Promise<string> {
  return uuidV8(await sha256(jsonBytes(words)));
}

/** A digest of 32 bytes, by SHA-256. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Equal for equal JSON values, whatever the order of their fields. 64 hexadecimal digits. */
export async function fingerprintOf(value: Json, digest: Sha256 = sha256): Promise<string> {
  return toHex(await digest(jsonBytes(sorted(value))));
}

/**
 * The first 16 bytes as a UUID of version 8.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
 */
export function uuidV8(bytes: Uint8Array): string {
  const id = bytes.slice(0, 16);
  id[6] = ((id[6] ?? 0) & 0x0f) | 0x80;
  id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
  return toHex(id).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** 64 hexadecimal digits. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(await sha256(bytes));
}

/** As 32 bytes. */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
}

function toHex(bytes: Uint8Array): string {
  let digits = '';
  for (const byte of bytes) digits += HEX[byte];
  return digits;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
