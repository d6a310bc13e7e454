/** JSON Web Tokens of others: Firebase's, any OIDC issuer's, Google's own. */
import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
  UnsecuredJWT,
} from 'jose';
import { type Principal, SCOPES } from '../core/access.ts';
import { ServiceError } from '../core/errors.ts';
import { isTenant } from '../core/ids.ts';
import type { Clock } from '../core/ports.ts';
import type { TokenDoor, Verified } from './auth.ts';

/** Public keys by the URL of their JWK set. */
export type KeysAt = (url: string) => JWTVerifyGetKey;

export type TokenOptions = {
  clock: Clock;
  keysAt: KeysAt;
  /** Which claims name tenant and scopes; absent: `default`, and what everybody may do. */
  tenantClaim?: string | undefined;
  scopesClaim?: string | undefined;
};

/** What a token must be, beside signed by one of these keys. */
type TokenRules = Pick<JWTVerifyOptions, 'issuer' | 'audience'> & { algorithms: string[] };

const FIREBASE_KEYS = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com';
const SESSION_KEYS = 'https://identitytoolkit.googleapis.com/v1/sessionCookiePublicKeys';
const GOOGLE_KEYS = 'https://www.googleapis.com/oauth2/v3/certs';

/** Clocks differ. */
const CLOCK_TOLERANCE_S = 10;
/** The longest subject that OIDC allows. */
const SUBJECT_MOST = 255;
const FIREBASE_SUBJECT_MOST = 128;
/** The latest instant that a date can be. */
const DATE_MOST_S = 8.64e12;

/** Keys that are fetched when they are needed, and kept; throws `auth_unavailable` while they cannot be had. */
export const remoteKeys: KeysAt = (url) => {
  const keys = createRemoteJWKSet(new URL(url));
  return (header, token) => keys(header, token).catch(unlessUnknown);
};

/** Google names the key of each of its tokens; one without a name must not try its luck with the only key there is. */
function named(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return (header, token) => {
    if (typeof header.kid === 'string') return keys(header, token);
    throw new errors.JWKSNoMatchingKey();
  };
}

/** Keys where the issuer's discovery document says. */
function discoveredKeys(issuer: string, keysAt: KeysAt): JWTVerifyGetKey {
  let found: Promise<JWTVerifyGetKey> | undefined;
  const discover = async () => {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const document = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (document.issuer === issuer && typeof document.jwks_uri === 'string') return keysAt(document.jwks_uri);
    throw new Error('The discovery document is of another issuer.');
  };
  return async (header, token) => {
    found ??= discover();
    try {
      return await (await found)(header, token);
    } catch (error) {
      if (!(error instanceof errors.JOSEError || error instanceof ServiceError)) found = undefined;
      return unlessUnknown(error);
    }
  };
}

function unlessUnknown(error: unknown): never {
  const isUnknown = error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
  if (isUnknown || error instanceof ServiceError) throw error;
  const sentence = 'The keys of the token issuer cannot be had now.';
  throw new ServiceError('auth_unavailable', sentence, { cause: error, retryAfterMs: 5_000 });
}

type Judged = { claims: JWTPayload; expiresAtMs: number } | { refused: 'expired' | 'unknown' };

async function judge(
  token: string,
  keys: JWTVerifyGetKey,
  { algorithms, ...rules }: TokenRules,
  clock: Clock,
): Promise<Judged> {
  const options = {
    ...rules,
    currentDate: new Date(clock.nowMs()),
    clockTolerance: CLOCK_TOLERANCE_S,
    requiredClaims: ['exp', 'iat', 'sub'],
  };
  const isUnsigned = algorithms.length === 0;
  try {
    const { payload } = isUnsigned
      ? UnsecuredJWT.decode(token, options)
      : await jwtVerify(token, keys, { ...options, algorithms });
    const { exp = 0 } = payload;
    return isOdd(payload, clock.nowMs()) ? { refused: 'unknown' } : { claims: payload, expiresAtMs: exp * 1_000 };
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    return { refused: error instanceof errors.JWTExpired ? 'expired' : 'unknown' };
  }
}

/** What the library leaves to us: times that cannot be, and subjects that are no text. */
function isOdd({ iat = 0, exp = 0, sub }: JWTPayload, nowMs: number): boolean {
  const isText = typeof sub === 'string' && sub.length <= SUBJECT_MOST && sub.isWellFormed();
  const isSubject = isText && sub !== '' && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(sub);
  return !isSubject || exp > DATE_MOST_S || isLater(iat, nowMs);
}

function isLater(timeS: number, nowMs: number): boolean {
  return timeS > nowMs / 1_000 + CLOCK_TOLERANCE_S;
}

/**
 * Firebase's ID tokens (`securetoken`) or session cookies (`session`), as firebase-admin verifies them, but for
 * revocation, which takes a call for each. The auth emulator's are not signed.
 *
 * @see https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library
 */
export function firebaseDoor(
  options: TokenOptions & { projectId: string; isEmulator: boolean },
  kind: 'securetoken' | 'session',
): TokenDoor {
  const { clock, keysAt, projectId, isEmulator } = options;
  const issuer =
    kind === 'session'
      ? `https://session.firebase.google.com/${projectId}`
      : `https://securetoken.google.com/${projectId}`;
  const keys = named(keysAt(kind === 'session' ? SESSION_KEYS : FIREBASE_KEYS));
  const rules = { issuer, audience: projectId, algorithms: isEmulator ? [] : ['RS256'] };
  return {
    issuer,
    async verify(token) {
      const judged = await judge(token, keys, rules, clock);
      if ('refused' in judged) return judged;
      const { sub = '', aud, auth_time: authTime = 0 } = judged.claims;
      const hasSignedIn = typeof authTime === 'number' && !isLater(authTime, clock.nowMs());
      const isTheirs = hasSignedIn && sub.length <= FIREBASE_SUBJECT_MOST && aud === projectId;
      return isTheirs ? admitted(judged, 'firebase', options) : { refused: 'unknown' };
    },
  };
}

/** Tokens of any OIDC issuer, with a signature that only it can make: never a shared secret, never none. */
export function oidcDoor(
  options: TokenOptions & { issuer: string; audience: string; jwksUrl?: string | undefined },
): TokenDoor {
  const { clock, keysAt, issuer, audience, jwksUrl } = options;
  const keys = jwksUrl ? keysAt(jwksUrl) : discoveredKeys(issuer, keysAt);
  const rules = { issuer, audience, algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'] };
  return {
    issuer,
    async verify(token) {
      const judged = await judge(token, keys, rules, clock);
      return 'refused' in judged ? judged : admitted(judged, 'oidc', options);
    },
  };
}

/** The verified e-mail address of a Google service account, from the token that Pub/Sub and Cloud Scheduler send. */
export function googleAccounts(
  { clock, keysAt }: TokenOptions,
  audiences: readonly string[],
): (token: string) => Promise<string | undefined> {
  const keys = named(keysAt(GOOGLE_KEYS));
  const audience = audiences.length > 0 ? { audience: [...audiences] } : {};
  const rules = { issuer: ['https://accounts.google.com', 'accounts.google.com'], algorithms: ['RS256'], ...audience };
  return async (token) => {
    const judged = await judge(token, keys, rules, clock);
    if ('refused' in judged || judged.claims.email_verified !== true) return undefined;
    return typeof judged.claims.email === 'string' ? judged.claims.email : undefined;
  };
}

/** The principal that a token names. Two issuers may know two people by the same subject. */
function admitted(
  { claims, expiresAtMs }: Exclude<Judged, { refused: unknown }>,
  door: string,
  { tenantClaim, scopesClaim }: TokenOptions,
): Verified {
  const tenant = tenantClaim === undefined ? 'default' : claimOf(claims, tenantClaim);
  if (typeof tenant !== 'string' || !isTenant(tenant)) {
    throw new ServiceError('forbidden', `The token names no tenant (claim ${tenantClaim}).`);
  }
  // That of whoever runs the service: their keys and messages have it, and their secrets make those of all others.
  if (tenantClaim !== undefined && tenant === 'default') {
    throw new ServiceError(
      'forbidden',
      `The token names the tenant "default" (claim ${tenantClaim}), which nobody may.`,
    );
  }
  const given = scopesClaim === undefined ? undefined : claimOf(claims, scopesClaim);
  const principal: Principal = { tenant, user: `${door}:${claims.sub}`, scopes: scopesIn(given) };
  return { principal, expiresAtMs };
}

function scopesIn(given: unknown): Principal['scopes'] {
  if (given === undefined) return ['jobs:read', 'jobs:write'];
  const words = Array.isArray(given) ? given : String(given).split(/[\s,]+/);
  return SCOPES.filter((scope) => words.includes(scope));
}

/** A claim by its name, or by the names on the way to it: `firebase.tenant`. */
function claimOf(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
