/** API keys of services: what is kept of one, and the port behind which they are kept. Never the key itself. */
import type { Scope } from './access.ts';

export type ApiKey = {
  /** A short public name, for listing and revoking: the first digits of the hash. */
  id: string;
  /** The SHA-256 of the whole key, 64 hexadecimal digits: what it is found by. */
  hash: string;
  /** What people call it. Not unique. */
  name: string;
  tenant: string;
  user: string;
  scopes: readonly Scope[];
  createdAt: number;
  /** From then on it is refused; absent: never. */
  expiresAt?: number | undefined;
  revokedAt?: number | undefined;
  /** Noted at most hourly. */
  lastUsedAt?: number | undefined;
};

/** How many digits of the hash are an id. */
export const KEY_ID_DIGITS = 12;

/** Can this be an id, or the beginning of one? */
export function isKeyIdPrefix(text: string): boolean {
  return text.length <= KEY_ID_DIGITS && /^[0-9a-f]+$/.test(text);
}

/** Where API keys live. Methods answer within a few seconds or throw `store_unavailable`. */
export type ApiKeyStore = {
  /** Keeps a new key, or refuses when one of that hash exists, changing nothing. */
  create(key: ApiKey): Promise<{ created: true } | { refused: 'exists' }>;
  get(hash: string): Promise<ApiKey | undefined>;
  /** The keys of a tenant, or all, the newest first; also those that expired or were revoked. */
  list(tenant?: string): Promise<ApiKey[]>;
  /**
   * Revokes the key whose id begins so, and answers it; one that was revoked before stays as it was. `ambiguous`: more
   * than one begins so, and none was revoked.
   */
  revoke(idPrefix: string, atMs: number): Promise<{ revoked: ApiKey } | { refused: 'missing' | 'ambiguous' }>;
  /** Notes when a key was last used; of a key that is not there, nothing. Changes nothing else. */
  touch(hash: string, atMs: number): Promise<void>;
};
