/** Tokens that nobody may come in with, each made as well as a forger could, or as badly. */
import { createHmac, constants as cryptoConstants, KeyObject, sign as signWith } from 'node:crypto';
import { EncryptJWT } from 'jose';
import { type Claims, type Issuers, SECRET, type SigningKey } from './issuers.ts';

export type DoorName = 'firebase' | 'session' | 'oidc' | 'job';
export const DOORS: readonly DoorName[] = ['firebase', 'session', 'oidc', 'job'];

/** What one is made of; what it leaves out is as it should be. */
export type Parts = {
  header?: Claims;
  claims?: Claims;
  /** In place of the claims, as text or bytes. */
  payload?: string | Uint8Array;
  /** In place of the right signature. */
  signature?: (data: string) => Uint8Array | string;
};

export type Mint = (parts?: Parts) => string;

const base64url = (part: string | Uint8Array) => Buffer.from(part).toString('base64url');
const text = (value: unknown) => JSON.stringify(value);

export const hmac =
  (secret: string | Uint8Array, hash = 'sha256') =>
  (data: string) =>
    createHmac(hash, secret).update(data).digest();

export const rsa =
  (key: SigningKey, hash = 'sha256', padding = cryptoConstants.RSA_PKCS1_PADDING) =>
  (data: string) =>
    signWith(hash, Buffer.from(data), { key: KeyObject.from(key.privateKey), padding });

/** Makes tokens for one door. `claims` are good ones. */
export function minter(right: Parts['signature'] & {}, header: Claims, claims: Claims): Mint {
  return (parts = {}) => {
    const head = { ...header, ...parts.header };
    const data = `${base64url(text(head))}.${base64url(parts.payload ?? text({ ...claims, ...parts.claims }))}`;
    return `${data}.${base64url((parts.signature ?? right)(data))}`;
  };
}

export type Door = { name: DoorName; mint: Mint; claims: Claims; key: SigningKey | undefined };

/** The four doors that take tokens, with what would open them. */
export function doorsOf(issuers: Issuers, jobClaims: Claims): Door[] {
  const { keys, claims } = issuers;
  const of = (name: 'firebase' | 'session' | 'oidc', given: Claims): Door => {
    const key = keys[name];
    return { name, key, claims: given, mint: minter(rsa(key), { alg: 'RS256', kid: key.kid, typ: 'JWT' }, given) };
  };
  const mine = { org: 'acme' };
  return [
    of('firebase', claims.firebase(mine)),
    of('session', claims.session(mine)),
    of('oidc', claims.oidc(mine)),
    { name: 'job', key: undefined, claims: jobClaims, mint: minter(hmac(SECRET), { alg: 'HS256' }, jobClaims) },
  ];
}

type Forgery = { name: string; make: (door: Door) => string | Promise<string>; at?: readonly DoorName[] };

const RSA_DOORS = ['firebase', 'session', 'oidc'] as const;
const GOOGLES = ['firebase', 'session'] as const;
const empty = () => '';

/** All of them. `at`: the doors at which it can be tried. */
export function forgeries({ keys, claims, server }: Issuers, nowS: number, strangersUrl: string): Forgery[] {
  const found: Forgery[] = [];
  const add = (name: string, make: Forgery['make'], at: readonly DoorName[] = DOORS) => found.push({ name, make, at });
  const withHeader = (name: string, header: Claims, at?: readonly DoorName[]) =>
    add(name, ({ mint }) => mint({ header }), at);
  const withClaims = (name: string, over: Claims, at?: readonly DoorName[]) =>
    add(name, ({ mint }) => mint({ claims: over }), at);
  const withText = (name: string, edit: (json: string) => string | Uint8Array, at?: readonly DoorName[]) =>
    add(name, (door) => door.mint({ payload: edit(text(door.claims)) }), at);
  const publicKey = ({ key }: Door) => KeyObject.from((key as SigningKey).publicKey);
  const split = ({ mint }: Door) => mint().split('.') as [string, string, string];

  // No signature, or one that anybody can make.
  for (const alg of ['none', 'None', 'NONE', 'nOnE', 'none ', '']) {
    add(`alg ${text(alg)} without a signature`, ({ mint }) => mint({ header: { alg }, signature: empty }));
    add(`alg ${text(alg)} with the signature left in place`, ({ mint }) => mint({ header: { alg } }));
  }
  for (const alg of [undefined, null, 5, ['RS256'], { alg: 'RS256' }, 'RS256 ', 'rs256', 'hs256', 'HS1', 'dir']) {
    withHeader(`alg ${text(alg)}`, { alg });
  }
  const secrets: [string, (door: Door) => string | Uint8Array][] = [
    ['its PEM', (door) => publicKey(door).export({ type: 'spki', format: 'pem' }) as string],
    [
      'its PEM without the last line feed',
      (door) => `${publicKey(door).export({ type: 'spki', format: 'pem' })}`.trim(),
    ],
    ['its PKCS #1 PEM', (door) => publicKey(door).export({ type: 'pkcs1', format: 'pem' }) as string],
    ['its DER', (door) => publicKey(door).export({ type: 'spki', format: 'der' })],
    ['its JWK', (door) => text(door.key?.jwk)],
    ['its modulus', (door) => Buffer.from(`${door.key?.jwk.n}`, 'base64url')],
    ['its modulus as text', (door) => `${door.key?.jwk.n}`],
    ['its name', (door) => `${door.key?.kid}`],
  ];
  for (const [what, secretOf] of secrets) {
    for (const [alg, hash] of [
      ['HS256', 'sha256'],
      ['HS512', 'sha512'],
    ] as const) {
      const make = (door: Door) => door.mint({ header: { alg }, signature: hmac(secretOf(door), hash) });
      add(`${alg}, the secret being the public key: ${what}`, make, RSA_DOORS);
    }
  }
  for (const secret of ['', 'secret', 'llm-jobs', SECRET.slice(0, -1), SECRET.toUpperCase(), `${SECRET} `]) {
    add(`HS256 with the secret ${text(secret)}`, ({ mint }) =>
      mint({ header: { alg: 'HS256' }, signature: hmac(secret) }),
    );
  }
  add(
    'HS384 with the right secret',
    ({ mint }) => mint({ header: { alg: 'HS384' }, signature: hmac(SECRET, 'sha384') }),
    ['job'],
  );
  add(
    'HS512 with the right secret',
    ({ mint }) => mint({ header: { alg: 'HS512' }, signature: hmac(SECRET, 'sha512') }),
    ['job'],
  );
  add('RS256 with an own key', ({ mint }) => mint({ header: { alg: 'RS256' }, signature: rsa(keys.stranger) }), [
    'job',
  ]);
  add(
    'RS512 with the right key',
    (door) => door.mint({ header: { alg: 'RS512' }, signature: rsa(door.key as SigningKey, 'sha512') }),
    RSA_DOORS,
  );
  add(
    'PS256 with the right key',
    (door) => {
      const signature = rsa(door.key as SigningKey, 'sha256', cryptoConstants.RSA_PKCS1_PSS_PADDING);
      return door.mint({ header: { alg: 'PS256' }, signature });
    },
    RSA_DOORS,
  );

  // The wrong key, or a way to it of one's own.
  add('another key under the right name', ({ mint }) => mint({ signature: rsa(keys.stranger) }), RSA_DOORS);
  add(
    'another key under its own name',
    ({ mint }) => mint({ header: { kid: keys.stranger.kid }, signature: rsa(keys.stranger) }),
    RSA_DOORS,
  );
  add(
    "another issuer's key",
    ({ name, mint }) => mint({ signature: rsa(keys[name === 'oidc' ? 'firebase' : 'oidc']) }),
    RSA_DOORS,
  );
  add(
    "another issuer's key and name",
    ({ name, mint }) => {
      const other = keys[name === 'session' ? 'firebase' : 'session'];
      return mint({ header: { kid: other.kid }, signature: rsa(other) });
    },
    RSA_DOORS,
  );
  add(
    "Google's key for service accounts",
    ({ mint }) => mint({ header: { kid: keys.google.kid }, signature: rsa(keys.google) }),
    RSA_DOORS,
  );
  add(
    'no name of a key, and another key',
    ({ mint }) => mint({ header: { kid: undefined }, signature: rsa(keys.stranger) }),
    RSA_DOORS,
  );
  withHeader('no name of a key', { kid: undefined }, GOOGLES);
  for (const kid of ['', '../../../../dev/null', "x' OR '1'='1", '__proto__', 'constructor', 0, 5, null, true, {}]) {
    withHeader(`the key's name ${text(kid)}`, { kid }, RSA_DOORS);
  }
  add("the key's name in a list", (door) => door.mint({ header: { kid: [door.key?.kid] } }), RSA_DOORS);
  const own = { signature: rsa(keys.stranger) };
  for (const [what, header] of Object.entries<Claims>({
    jwk: { jwk: keys.stranger.jwk },
    'jwk without a name': { jwk: keys.stranger.jwk, kid: undefined },
    jku: { jku: `${strangersUrl}/keys`, kid: keys.stranger.kid },
    x5u: { x5u: `${strangersUrl}/certificate`, kid: keys.stranger.kid },
    x5c: { x5c: [base64url(KeyObject.from(keys.stranger.publicKey).export({ type: 'spki', format: 'der' }))] },
    'a URL for a name': { kid: `${strangersUrl}/keys` },
  })) {
    add(`an own key, brought along as ${what}`, ({ mint }) => mint({ ...own, header }));
  }
  withHeader('a critical extension', { crit: ['exp'], exp: nowS + 60 });
  withHeader('a critical extension that nobody knows', { crit: ['tenant'], tenant: 'acme' });
  withHeader('crit that is empty', { crit: [] });
  withHeader('a payload that is not encoded', { b64: false, crit: ['b64'] });

  // For whom, by whom, about whom.
  for (const aud of [
    'other',
    '',
    null,
    5,
    {},
    [],
    ['other'],
    [['walls']],
    'Walls',
    'walls2',
    'LLM-JOBS-API',
    'jobs',
    'JOB',
  ]) {
    withClaims(`aud ${text(aud)}`, { aud });
  }
  withClaims('no aud', { aud: undefined });
  add('aud in a list', ({ claims: { aud }, mint }) => mint({ claims: { aud: [aud, 'other'] } }), GOOGLES);
  const names: [string, (iss: string) => unknown][] = [
    ['with a slash more', (iss) => `${iss}/`],
    ['with something after it', (iss) => `${iss}.example`],
    ['with something before it', (iss) => `https://evil.example/${iss}`],
    ['in capitals', (iss) => iss.toUpperCase()],
    ['in a list', (iss) => [iss]],
    ['cut by a letter', (iss) => iss.slice(0, -1)],
    ['with a space', (iss) => `${iss} `],
    ['with a NUL', (iss) => `${iss}\u0000`],
    ['on another host', (iss) => iss.replace('://', '://evil.example@')],
    ['none', () => undefined],
    ['null', () => null],
    ['a number', () => 5],
  ];
  for (const [what, edit] of names) {
    const at = what === 'on another host' ? RSA_DOORS : DOORS;
    add(`iss ${what}`, (door) => door.mint({ claims: { iss: edit(`${door.claims.iss}`) } }), at);
  }
  withClaims('of another project', { iss: 'https://securetoken.google.com/other', aud: 'other' }, ['firebase']);
  withClaims('of another project, for ours', { iss: 'https://securetoken.google.com/other' }, ['firebase']);
  add(
    'what is for the session door',
    () => minter(rsa(keys.session), { alg: 'RS256', kid: keys.session.kid }, claims.session({ org: 'acme' }))(),
    ['firebase'],
  );
  add(
    'what is for the Firebase door',
    () => minter(rsa(keys.firebase), { alg: 'RS256', kid: keys.firebase.kid }, claims.firebase({ org: 'acme' }))(),
    ['session'],
  );
  add(
    'what is for the OIDC door',
    () => minter(rsa(keys.oidc), { alg: 'RS256', kid: keys.oidc.kid }, claims.oidc({ org: 'acme' }))(),
    ['session'],
  );
  add(
    "Google's token of a service account",
    () => minter(rsa(keys.google), { alg: 'RS256', kid: keys.google.kid }, claims.google({ org: 'acme' }))(),
    ['firebase', 'session'],
  );
  for (const sub of ['', 5, null, true, {}, ['ada'], [], { length: 3 }]) withClaims(`sub ${text(sub)}`, { sub });
  withClaims('no sub', { sub: undefined });
  withClaims('a sub that is too long', { sub: 'a'.repeat(129) }, GOOGLES);
  withClaims('a sub that is too long', { sub: 'a'.repeat(256) }, ['oidc']);
  withText('a sub that is no Unicode', (json) => json.replace(/"sub":"[^"]+"/, '"sub":"\\ud800"'), RSA_DOORS);

  // When.
  withClaims('expired', { iat: nowS - 120, exp: nowS - 60 });
  withClaims('expired in the beginning of time', { exp: 0 });
  withClaims('expired before it', { exp: -1e15 });
  for (const exp of [undefined, null, '', String(nowS + 60), 'never', [nowS + 60], {}, true])
    withClaims(`exp ${text(exp)}`, { exp });
  withClaims('exp after the end of time', { exp: 1e20 });
  withText('exp infinite', (json) => json.replace(/"exp":\d+/, '"exp":1e400'));
  withText('exp NaN', (json) => json.replace(/"exp":\d+/, '"exp":NaN'));
  for (const iat of [undefined, null, String(nowS), 'now', nowS + 3_600, 1e20, []])
    withClaims(`iat ${text(iat)}`, { iat });
  withClaims('nbf in an hour', { nbf: nowS + 3_600 });
  withClaims('nbf as text', { nbf: String(nowS - 60) });
  withClaims('signed in tomorrow', { auth_time: nowS + 86_400 }, GOOGLES);
  withClaims('signed in, it says, once', { auth_time: 'once' }, GOOGLES);

  // Broken, or written in another way.
  add('without its signature', (door) => split(door).slice(0, 2).join('.'));
  add('with an empty signature', (door) => `${split(door).slice(0, 2).join('.')}.`);
  add('without payload and signature', (door) => split(door)[0]);
  add('without its header', (door) => split(door).slice(1).join('.'));
  add('with an empty payload', (door) => `${split(door)[0]}..${split(door)[2]}`);
  add('with an empty header', (door) => `.${split(door).slice(1).join('.')}`);
  add('with a signature that is cut', (door) => door.mint().slice(0, -8));
  add('with half a signature', (door) => door.mint().slice(0, -Math.floor(split(door)[2].length / 2)));
  add('with a longer signature', (door) => `${door.mint()}AAAA`);
  add('with a fourth part', (door) => `${door.mint()}.AAAA`);
  add('with an empty fourth part', (door) => `${door.mint()}.`);
  add('with a dot before it', (door) => `.${door.mint()}`);
  add('with two dots in a row', (door) => door.mint().replace('.', '..'));
  for (const part of [0, 1, 2]) {
    add(`with a flipped bit in part ${part + 1}`, (door) => {
      const parts = split(door);
      const bytes = Buffer.from(parts[part] as string, 'base64url');
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      parts[part] = bytes.toString('base64url');
      return parts.join('.');
    });
    add(`with padding in part ${part + 1}`, (door) => {
      const parts = split(door);
      parts[part] = `${parts[part]}=`;
      return parts.join('.');
    });
    add(`in the other alphabet, part ${part + 1}`, (door) => {
      const parts = split(door);
      // A `-` or `_` is there, so that it is another spelling.
      parts[part] = `${parts[part]?.slice(0, -4)}+/+/`;
      return parts.join('.');
    });
  }
  add(
    'with the signature of another',
    (door) => `${split(door).slice(0, 2).join('.')}.${door.mint({ claims: { jti: '2' } }).split('.')[2]}`,
  );
  add('with the payload of another', (door) =>
    [split(door)[0], door.mint({ claims: { sub: 'bob' } }).split('.')[1], split(door)[2]].join('.'),
  );
  withText('two audiences in one claim', (json) =>
    json.replace('{', '{"aud":"walls",').replace(/}$/, ',"aud":"other"}'),
  );
  withText('two issuers in one claim', (json) => json.replace(/}$/, ',"iss":"https://evil.example"}'));
  withText('two ends in one claim', (json) => json.replace(/}$/, `,"exp":${nowS - 60}}`));
  withText('claims in a list', (json) => `[${json}]`);
  withText('claims as text', (json) => text(json));
  for (const payload of ['null', '5', '""', '[]', '{}', '', '{', 'undefined'])
    withText(`claims ${text(payload)}`, () => payload);
  withText('claims that are no UTF-8', (json) =>
    Buffer.concat([Buffer.from(json.slice(0, -1)), Buffer.from([0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])]),
  );
  withText('claims in UTF-16', (json) => Buffer.from(json, 'utf16le'));
  withText('more than 8 KB', (json) => json.replace(/}$/, `,"more":"${'x'.repeat(9_000)}"}`));
  for (const header of ['null', '[]', '5', '', '{']) {
    add(`a header ${text(header)}`, (door) => `${base64url(header)}.${split(door).slice(1).join('.')}`);
  }
  add('encrypted (JWE)', ({ claims: given }) =>
    new EncryptJWT(given).setProtectedHeader({ alg: 'dir', enc: 'A128GCM' }).encrypt(new Uint8Array(16)),
  );
  add('as JSON', (door) => {
    const [header, payload, signature] = split(door);
    return text({ protected: header, payload, signature }).replaceAll(' ', '');
  });
  for (const word of ['', '.', '..', '...', 'null', 'undefined', 'true', '{}', 'llmj_', 'x'.repeat(9_000)])
    add(`just ${text(word.slice(0, 20))}`, () => word);

  // Job tokens: what only they say.
  withClaims('that lives longer', { iat: nowS - 5, exp: nowS + 700 }, ['job']);
  withClaims('that has lived for longer', { iat: nowS - 3_600, exp: nowS + 60 }, ['job']);
  for (const tenant of [undefined, '', null, 5, 'a~b', '../acme', ['acme']])
    withClaims(`tenant ${text(tenant)}`, { tenant }, ['job']);
  for (const job_id of [undefined, '', null, 5, '*', '../', ['x']])
    withClaims(`job_id ${text(job_id)}`, { job_id }, ['job']);
  add(
    'by the OIDC issuer, as ours',
    ({ claims: given }) =>
      minter(rsa(keys.oidc), { alg: 'RS256', kid: keys.oidc.kid }, { ...given, iss: server.issuer })(),
    ['job'],
  );
  return found;
}
