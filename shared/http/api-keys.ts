/**
 * API keys as services present them: `llmj_`, 64 hexadecimal digits of random, 8 of a checksum, by which a mistyped key
 * is refused without a read. Only the hash of the whole is kept.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../core/access.ts';
import { type ApiKey, type ApiKeyStore, KEY_ID_DIGITS } from '../core/api-keys.ts';
import { describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';

const PREFIX = 'llmj_';
const RANDOM_BYTES = 32;
const FORMAT = new RegExp(`^${PREFIX}[0-9a-f]{${2 * RANDOM_BYTES}}[0-9a-f]{8}$`);

/** How long an answer of the store is good for: so long a revoked key may still be taken. */
const KNOWN_MS = 60_000;
/** Of each kind, so that strangers who try keys cannot push out those that are in use. */
const ANSWERS_MOST = 10_000;
const TOUCH_EVERY_MS = 3_600_000;

/** What a new key is for. */
export type NewApiKey = Pick<ApiKey, 'name' | 'tenant' | 'scopes' | 'createdAt' | 'expiresAt'> & {
  /** Whose jobs it submits and reads; keys of one name share a user unless it is given, so that one can replace another. */
  user?: string | undefined;
  /** A given number of bytes that nobody can guess. */
  random: (bytes: number) => Uint8Array;
};

/** A new key, to be shown once, and what is kept of it. */
export function newApiKey({ random, user, ...given }: NewApiKey): { key: string; kept: ApiKey } {
  const body = PREFIX + Buffer.from(random(RANDOM_BYTES)).toString('hex');
  const key = body + checksumOf(body);
  const hash = hashOf(key).toString('hex');
  return { key, kept: { id: hash.slice(0, KEY_ID_DIGITS), hash, user: user ?? `key:${given.name}`, ...given } };
}

/** Is this meant to be an API key, and not a token of another kind? */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith(PREFIX);
}

export type ApiKeyAuthenticator = (
  key: string,
  /** Called before the store is asked; may throw. */
  beforeLookUp?: () => Promise<void>,
) => Promise<{ principal: Principal } | { refused: 'unknown' | 'expired' }>;

type Answer = { kept: ApiKey | undefined; heardAtMs: number };

/**
 * Who presents a key. `unknown` says nothing of why: mistyped, never made, or revoked. Answers of the store are
 * remembered for a minute. Throws `store_unavailable` when it gives none.
 */
export function apiKeyAuthenticator(options: {
  store: ApiKeyStore;
  clock: Clock;
  log: Log;
  answersMost?: number;
}): ApiKeyAuthenticator {
  const { store, clock, log, answersMost: max = ANSWERS_MOST } = options;
  const known = new LRUCache<string, Answer>({ max });
  const unknown = new LRUCache<string, Answer>({ max });
  const touchedAtMs = new LRUCache<string, number>({ max });
  const underWay = new Map<string, Promise<ApiKey | undefined>>();

  async function keptOf(hash: string, beforeLookUp?: () => Promise<void>): Promise<ApiKey | undefined> {
    const answer = known.get(hash) ?? unknown.get(hash);
    if (answer && clock.monotonicMs() - answer.heardAtMs < KNOWN_MS) return answer.kept;
    if (beforeLookUp && !underWay.has(hash)) await beforeLookUp();
    const asked = underWay.get(hash) ?? ask(hash);
    underWay.set(hash, asked);
    return asked;
  }

  async function ask(hash: string): Promise<ApiKey | undefined> {
    const heardAtMs = clock.monotonicMs();
    try {
      const kept = await store.get(hash);
      (kept ? unknown : known).delete(hash);
      (kept ? known : unknown).set(hash, { kept, heardAtMs });
      return kept;
    } finally {
      underWay.delete(hash);
    }
  }

  /** In the background: nobody waits for it, and nobody is hurt when it fails; it is tried again a minute later. */
  function noteUse({ id, hash, lastUsedAt = 0 }: ApiKey): void {
    const nowMs = clock.nowMs();
    if (nowMs - Math.max(lastUsedAt, touchedAtMs.get(hash) ?? 0) < TOUCH_EVERY_MS) return;
    touchedAtMs.set(hash, nowMs);
    store.touch(hash, nowMs).catch((error: unknown) => {
      touchedAtMs.set(hash, nowMs - TOUCH_EVERY_MS + KNOWN_MS);
      log('warning', 'api-key-use-unnoted', { key_id: id, error: describeError(error) });
    });
  }

  return async (key, beforeLookUp) => {
    if (!isWellFormed(key)) return { refused: 'unknown' };
    const digest = hashOf(key);
    const kept = await keptOf(digest.toString('hex'), beforeLookUp);
    if (!kept || kept.revokedAt !== undefined || !isSame(digest, kept.hash)) return { refused: 'unknown' };
    if (kept.expiresAt !== undefined && kept.expiresAt <= clock.nowMs()) return { refused: 'expired' };
    noteUse(kept);
    return { principal: { tenant: kept.tenant, user: kept.user, scopes: kept.scopes } };
  };
}

/** Can this be a key? Its checksum is no secret: whoever knows the format can compute it. */
function isWellFormed(key: string): boolean {
  return FORMAT.test(key) && key.slice(-8) === checksumOf(key.slice(0, -8));
}

function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

function isSame(digest: Buffer, hash: string): boolean {
  const other = Buffer.from(hash, 'hex');
  return digest.length === other.length && timingSafeEqual(digest, other);
}
