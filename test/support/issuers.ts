/** Issuers of tokens with real keys: Firebase's two, Google's, an OIDC issuer behind a real socket; and a stranger's key. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, createLocalJWKSet, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Clock } from '../../shared/core/ports.ts';
import { type KeysAt, remoteKeys } from '../../shared/http/tokens.ts';

export type Claims = Record<string, unknown>;
export type SigningKey = { kid: string; alg: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK };

export const PROJECT = 'walls';
export const AUDIENCE = 'llm-jobs-api';
export const PUSHER = 'pusher@walls.iam.gserviceaccount.com';
export const PUSH_AUDIENCE = 'https://worker.example';
export const SECRET = 'a-secret-of-more-than-32-characters!';
const HOUR_S = 3_600;

export async function signingKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** Signs claims as they are, under a header that may say anything. */
export async function sign(claims: Claims, key: SigningKey, header: Claims = {}): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
    .sign(key.privateKey);
}

/** An OIDC issuer that can be down, change its keys, or say that it is another one; and counts who asks. */
export async function oidcServer(first: SigningKey) {
  const asked: string[] = [];
  let keys = [first];
  let isDown = false;
  let says: string | undefined;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (isDown) return void response.writeHead(500).end('down');
    response.setHeader('content-type', 'application/json');
    const discovery = { issuer: says ?? issuer, jwks_uri: `${issuer}/keys` };
    const document = request.url === '/keys' ? { keys: keys.map(({ jwk }) => jwk) } : discovery;
    response.end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    asked,
    down: (down: boolean) => {
      isDown = down;
    },
    /** What its discovery document says that it is. */
    calls: (name: string | undefined) => {
      says = name;
    },
    rotate: (next: SigningKey[]) => {
      keys = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type Issuers = Awaited<ReturnType<typeof openIssuers>>;

/** They take half a second each. */
let made: ReturnType<typeof makeKeys> | undefined;

async function makeKeys() {
  const firebase = await signingKey('firebase-1');
  const session = await signingKey('session-1');
  const google = await signingKey('google-1');
  return { firebase, session, google, oidc: await signingKey('oidc-1'), stranger: await signingKey('stranger-1') };
}

/** All of them. Their tokens are valid for an hour of the clock. */
export async function openIssuers(clock: Pick<Clock, 'nowMs'>) {
  made ??= makeKeys();
  const keys = await made;
  const { firebase, session, google, oidc } = keys;
  const server = await oidcServer(oidc);
  const own = new Map(
    Object.entries({ securetoken: firebase, sessionCookiePublicKeys: session, 'oauth2/v3/certs': google }),
  );
  const keysAt: KeysAt = (url) => {
    const key = [...own].find(([part]) => url.includes(part))?.[1];
    return key ? createLocalJWKSet({ keys: [key.jwk] }) : remoteKeys(url);
  };
  const times = () => {
    const nowS = Math.floor(clock.nowMs() / 1_000);
    return { iat: nowS - 5, exp: nowS + HOUR_S, auth_time: nowS - 5 };
  };
  const claims = {
    firebase: (over: Claims = {}): Claims => ({
      ...{ iss: `https://securetoken.google.com/${PROJECT}`, aud: PROJECT, sub: 'ada' },
      ...times(),
      ...over,
    }),
    session: (over: Claims = {}): Claims => ({
      ...{ iss: `https://session.firebase.google.com/${PROJECT}`, aud: PROJECT, sub: 'ada' },
      ...times(),
      ...over,
    }),
    oidc: (over: Claims = {}): Claims => ({ iss: server.issuer, aud: AUDIENCE, sub: 'ada', ...times(), ...over }),
    google: (over: Claims = {}): Claims => ({
      ...{ iss: 'https://accounts.google.com', aud: PUSH_AUDIENCE, sub: '1', email: PUSHER, email_verified: true },
      ...times(),
      ...over,
    }),
  };
  return {
    keys,
    claims,
    keysAt,
    server,
    /** A good token, but for these claims. */
    token: (issuer: keyof typeof claims, over: Claims = {}) => sign(claims[issuer](over), keys[issuer]),
    close: server.close,
  };
}
