/** API keys: their format, and who comes in with one, on virtual time. */
import { createHash, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ApiKey, ApiKeyStore } from '../../shared/core/api-keys.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import {
  type ApiKeyAuthenticator,
  apiKeyAuthenticator,
  looksLikeApiKey,
  newApiKey,
} from '../../shared/http/api-keys.ts';
import { type Faulty, faulty } from '../support/faulty.ts';
import { sqliteStores } from '../support/stores.ts';
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

let clock: VirtualClock;
let plain: ApiKeyStore;
let store: Faulty<ApiKeyStore>;
let lines: { severity: string; event: string }[];
let authenticate: ApiKeyAuthenticator;
beforeEach(() => {
  clock = virtualClock();
  plain = sqliteStores(clock).apiKeys;
  lines = [];
  store = faulty(plain, { clock });
  authenticate = newAuthenticator(store);
});

function newAuthenticator(on: ApiKeyStore): ApiKeyAuthenticator {
  return apiKeyAuthenticator({ store: on, clock, log: (severity, event) => lines.push({ severity, event }) });
}

const made = (over: Partial<ApiKey> = {}) =>
  newApiKey({
    name: 'reports',
    tenant: 'acme',
    scopes: ['jobs:read'],
    createdAt: clock.nowMs(),
    ...over,
    random: randomBytes,
  });

async function keep(over: Partial<ApiKey> = {}): Promise<{ key: string; kept: ApiKey }> {
  const { key, kept } = made(over);
  await plain.create({ ...kept, ...over });
  return { key, kept };
}

const PRINCIPAL = { tenant: 'acme', user: 'key:reports', scopes: ['jobs:read'] };

describe('a new key', () => {
  test('is 32 random bytes between a prefix and a checksum, and only its hash is kept', () => {
    const { key, kept } = newApiKey({
      ...{ name: 'reports', tenant: 'acme', scopes: ['admin'], createdAt: 5, expiresAt: 6 },
      random: (bytes) => new Uint8Array(bytes).fill(0xab),
    });
    // What Python's `zlib.crc32` says.
    expect(key).toBe(`llmj_${'ab'.repeat(32)}6faedc8d`);
    const hash = createHash('sha256').update(key).digest('hex');
    expect(kept).toEqual({
      ...{ id: hash.slice(0, 12), hash, name: 'reports', tenant: 'acme', user: 'key:reports', scopes: ['admin'] },
      ...{ createdAt: 5, expiresAt: 6 },
    });
    expect(JSON.stringify(kept)).not.toContain('abab');
  });

  test('is never the same again', () => {
    expect(new Set(Array.from({ length: 100 }, () => made().key)).size).toBe(100);
  });

  test('can be told from a token of another kind', () => {
    expect(looksLikeApiKey(made().key)).toBe(true);
    for (const other of ['', 'llmj', 'eyJhbGciOiJSUzI1NiJ9.e30.x', ' llmj_1'])
      expect(looksLikeApiKey(other)).toBe(false);
  });
});

describe('who comes in', () => {
  test('is the tenant and the user of the key, with its scopes', async () => {
    const { key } = await keep();
    expect(await authenticate(key)).toEqual({ principal: PRINCIPAL });
    const other = await keep({ user: 'ada', tenant: 'other', scopes: ['admin', 'jobs:write'] });
    const principal = { user: 'ada', tenant: 'other', scopes: ['admin', 'jobs:write'] };
    expect(await authenticate(other.key)).toEqual({ principal });
  });

  test('a mistyped key is unknown without a read: each digit, each length', async () => {
    const { key } = await keep();
    for (let at = 0; at < key.length; at++) {
      const digit = key[at] === '0' ? '1' : '0';
      const mistyped = key.slice(0, at) + digit + key.slice(at + 1);
      expect(await authenticate(mistyped)).toEqual({ refused: 'unknown' });
    }
    const swapped = key.replace(/([0-9])([a-f])/, '$2$1');
    expect(swapped).not.toBe(key);
    for (const wrong of ['', 'llmj_', key.slice(0, -1), `${key}0`, `${key}\n`, ` ${key}`, key.toUpperCase(), swapped]) {
      expect(await authenticate(wrong)).toEqual({ refused: 'unknown' });
    }
    expect(store.calls('get')).toBe(0);
    expect(await authenticate(key)).toEqual({ principal: PRINCIPAL });
  });

  test('a key that was never made, or was revoked, is unknown', async () => {
    expect(await authenticate(made().key)).toEqual({ refused: 'unknown' });
    const { key } = await keep({ revokedAt: clock.nowMs() });
    expect(await authenticate(key)).toEqual({ refused: 'unknown' });
    const both = await keep({ revokedAt: clock.nowMs(), expiresAt: clock.nowMs() - 1 });
    expect(await authenticate(both.key)).toEqual({ refused: 'unknown' });
  });

  test('a key is expired from the instant on, also one that is remembered', async () => {
    const { key } = await keep({ expiresAt: clock.nowMs() + 1_000 });
    await clock.advance(999);
    expect(await authenticate(key)).toEqual({ principal: PRINCIPAL });
    await clock.advance(1);
    expect(await authenticate(key)).toEqual({ refused: 'expired' });
    expect(store.calls('get')).toBe(1);
  });

  test('a document under the wrong hash lets nobody in', async () => {
    const { key } = await keep();
    const hash = createHash('sha256').update(key).digest('hex');
    for (const wrong of [hash.replace(/.$/, (last) => (last === '0' ? '1' : '0')), hash.slice(2), '']) {
      const get = async () => ({ ...(await plain.get(hash)), hash: wrong }) as ApiKey;
      expect(await newAuthenticator({ ...plain, get })(key)).toEqual({ refused: 'unknown' });
    }
  });
});

describe('an answer of the store', () => {
  test('is good for a minute, and a revocation holds from then on', async () => {
    const { key, kept } = await keep();
    await authenticate(key);
    await plain.revoke(kept.id, clock.nowMs());
    await clock.advance(MINUTE_MS - 1);
    expect(await authenticate(key)).toEqual({ principal: PRINCIPAL });
    expect(store.calls('get')).toBe(1);
    await clock.advance(1);
    expect(await authenticate(key)).toEqual({ refused: 'unknown' });
    expect(store.calls('get')).toBe(2);
  });

  test('that there is no such key is remembered, too', async () => {
    const { key, kept } = made();
    for (let n = 0; n < 3; n++) expect(await authenticate(key)).toEqual({ refused: 'unknown' });
    expect(store.calls('get')).toBe(1);
    await plain.create(kept);
    await clock.advance(MINUTE_MS);
    expect(await authenticate(key)).toEqual({ principal: PRINCIPAL });
  });

  test('is waited for once by all who come at once', async () => {
    const { key } = await keep();
    const answers = await Promise.all(Array.from({ length: 100 }, () => authenticate(key)));
    expect(answers).toEqual(Array.from({ length: 100 }, () => ({ principal: PRINCIPAL })));
    expect(store.calls('get')).toBe(1);
  });

  test('that does not come is an error for all who wait, and not remembered', async () => {
    const { key } = await keep();
    store.fail('get', 'before');
    const answers = await Promise.allSettled([authenticate(key), authenticate(key)]);
    expect(store.fired()).toBe(1);
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    }
    expect(await authenticate(key)).toEqual({ principal: PRINCIPAL });
  });

  test('about strangers pushes out none about those who are known', async () => {
    const { key } = await keep();
    const small = apiKeyAuthenticator({ store, clock, log: () => {}, answersMost: 10 });
    await small(key);
    const strangers = Array.from({ length: 20 }, () => made().key);
    for (const stranger of [...strangers, strangers[0] ?? '']) await small(stranger);
    // The first of them was pushed out by the others.
    expect(store.calls('get')).toBe(22);
    expect(await small(key)).toEqual({ principal: PRINCIPAL });
    expect(store.calls('get')).toBe(22);
  });
});

describe('the last use', () => {
  const lastUsedAt = async (hash: string) => (await plain.get(hash))?.lastUsedAt;

  test('is noted at most hourly, however often a key is used and read again', async () => {
    const { key, kept } = await keep();
    const startMs = clock.nowMs();
    for (let minute = 0; minute < 60; minute++, await clock.advance(MINUTE_MS)) {
      await authenticate(key);
      await authenticate(key);
    }
    expect(store.calls('touch')).toBe(1);
    expect(await lastUsedAt(kept.hash)).toBe(startMs);
    await authenticate(key);
    expect(store.calls('touch')).toBe(2);
    expect(await lastUsedAt(kept.hash)).toBe(startMs + HOUR_MS);
  });

  test('that another process noted is not noted again within the hour', async () => {
    const { key } = await keep();
    await authenticate(key);
    await clock.advance(MINUTE_MS);
    await newAuthenticator(store)(key);
    expect(store.calls('touch')).toBe(1);
  });

  test('is not noted of who was refused', async () => {
    await authenticate((await keep({ revokedAt: 1 })).key);
    await authenticate((await keep({ expiresAt: 1 })).key);
    await authenticate(made().key);
    expect(store.calls('touch')).toBe(0);
  });

  test('that cannot be noted hurts nobody, is said once, and is tried again a minute later', async () => {
    const { key, kept } = await keep();
    store.fail('touch', 'before');
    for (let n = 0; n < 5; n++) expect(await authenticate(key)).toEqual({ principal: PRINCIPAL });
    await clock.advance(1);
    expect(store.fired()).toBe(1);
    expect(lines).toEqual([{ severity: 'warning', event: 'api-key-use-unnoted' }]);
    expect(await lastUsedAt(kept.hash)).toBeUndefined();
    await clock.advance(MINUTE_MS);
    await authenticate(key);
    expect(await lastUsedAt(kept.hash)).toBe(clock.nowMs());
    expect(store.calls('touch')).toBe(2);
  });

  test('nobody waits for it', async () => {
    const { key } = await keep();
    const never = { ...plain, touch: () => new Promise<void>(() => {}) };
    expect(await newAuthenticator(never)(key)).toEqual({ principal: PRINCIPAL });
  });
});

test('no line names a key or its hash', async () => {
  const { key, kept } = await keep();
  let text = '';
  const failing: ApiKeyStore = {
    ...plain,
    touch: async () => {
      throw new ServiceError('store_unavailable', 'The store gave no answer.');
    },
  };
  const log = (...line: unknown[]) => {
    text += JSON.stringify(line);
  };
  await apiKeyAuthenticator({ store: failing, clock, log })(key);
  await clock.advance(1);
  expect(text).toContain(kept.id);
  expect(text).not.toContain(kept.hash);
  expect(text).not.toContain(key.slice(5, 20));
});
