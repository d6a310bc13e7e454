/** Who asks: from the credentials of a request to a principal. */
import { createHash } from 'node:crypto';
import { decodeJwt, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Principal } from '../core/access.ts';
import type { Clock } from '../core/ports.ts';
import type { ApiKeyAuthenticator } from './api-keys.ts';
import { cookieOf } from './cookies.ts';

/** Why nobody was recognised: no credentials, ones whose time is over, or ones that we do not know. */
export type Refusal = 'missing' | 'expired' | 'unknown';

/**
 * `byCookie`: the browser sent the credentials by itself, whichever page asked it to. `leftMs`: how long they are good for
 * still, where that is known.
 */
export type Authenticated = { principal: Principal; byCookie?: boolean; leftMs?: number } | { refused: Refusal };

/** Throws `auth_unavailable`, or `store_unavailable`, when it cannot be known who asks. */
export type Authenticate = (
  request: Request,
  options?: {
    tokenInUrl?: boolean;
    /** Called before the store is asked about a key that nobody here has seen; may throw. */
    beforeLookUp?: () => Promise<void>;
  },
) => Promise<Authenticated>;

/** Whoever asks is this principal, and what they present is ignored. */
export function alwaysAs(principal: Principal): Authenticate {
  return async () => ({ principal });
}

/** `AUTH_MODE=none`: everybody is the one local user. */
export const asLocalUser = alwaysAs({ tenant: 'default', user: 'local', scopes: ['jobs:read', 'jobs:write'] });

/** What a valid token says. */
export type Verified = { principal: Principal; expiresAtMs: number } | { refused: 'expired' | 'unknown' };

/** One kind of token: who issues it, and how it is verified. */
export type TokenDoor = { issuer: string; verify: (token: string) => Promise<Verified> };

export type AuthenticatorOptions = {
  clock: Clock;
  /** Tokens in `Authorization: Bearer`, each known by its issuer. */
  bearers: readonly TokenDoor[];
  /** Which of them the URL of a stream may hold, too. */
  inUrl?: TokenDoor | undefined;
  /** Firebase session cookies. */
  session?: { cookie: string; door: TokenDoor } | undefined;
  /** API keys, known by how they look. */
  apiKeys?: { looksLikeOne: (text: string) => boolean; verify: ApiKeyAuthenticator } | undefined;
};

/** A token that was verified is not verified again for so long; those who are refused are looked at each time. */
const REMEMBERED_MS = 300_000;
const REMEMBERED_MOST = 10_000;
/** Longer than any token of those that we know. */
const TOKEN_LENGTH_MOST = 8_192;
/** Unpadded base64url, the one spelling of a token; the auth emulator's have no signature. */
const TOKEN_FORM = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Recognises whoever presents a credential of one of these kinds, and nobody else. */
export function authenticator({ clock, bearers, inUrl, session, apiKeys }: AuthenticatorOptions): Authenticate {
  const remembered = new LRUCache<string, { principal: Principal; untilMs: number; expiresAtMs: number }>({
    max: REMEMBERED_MOST,
  });

  async function verify(doors: readonly TokenDoor[], token: string): Promise<Authenticated> {
    if (token.length > TOKEN_LENGTH_MOST || !TOKEN_FORM.test(token)) return { refused: 'unknown' };
    const door = doors.find(({ issuer }) => issuer === issuerOf(token));
    if (!door) return { refused: 'unknown' };
    // By its digest: what is kept in memory opens nothing.
    const name = `${door.issuer} ${createHash('sha256').update(token).digest('base64')}`;
    const known = remembered.get(name);
    const nowMs = clock.nowMs();
    if (known && known.untilMs > nowMs) return { principal: known.principal, leftMs: known.expiresAtMs - nowMs };
    const verified = await door.verify(token);
    if ('refused' in verified) return verified;
    const { principal, expiresAtMs } = verified;
    remembered.set(name, { principal, expiresAtMs, untilMs: Math.min(expiresAtMs, nowMs + REMEMBERED_MS) });
    return { principal, leftMs: expiresAtMs - nowMs };
  }

  return async (request, { tokenInUrl = false, beforeLookUp } = {}) => {
    const header = request.headers.get('authorization');
    if (header !== null) {
      const [, credentials] = /^Bearer +([^\s]+)$/i.exec(header) ?? [];
      if (credentials === undefined) return { refused: 'unknown' };
      if (apiKeys?.looksLikeOne(credentials)) return apiKeys.verify(credentials, beforeLookUp);
      return verify(bearers, credentials);
    }
    const token = tokenInUrl && inUrl ? new URL(request.url).searchParams.get('access_token') : null;
    if (token !== null && inUrl) return verify([inUrl], token);
    const cookie = session && cookieOf(request, session.cookie);
    if (!cookie || !session) return { refused: 'missing' };
    const authenticated = await verify([session.door], cookie);
    return 'refused' in authenticated ? authenticated : { ...authenticated, byCookie: true };
  };
}

/** Who says that they issued it; nothing is verified yet. */
function issuerOf(token: string): string | undefined {
  let claims: JWTPayload;
  try {
    claims = decodeJwt(token);
  } catch {
    return undefined;
  }
  return typeof claims.iss === 'string' ? claims.iss : undefined;
}
