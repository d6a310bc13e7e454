/** Which doors are open, as the settings say: what each kind of credential needs, put together. */
import { ServiceError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { type Authenticate, type AuthenticatorOptions, asLocalUser, authenticator } from './auth.ts';
import { type JobTokens, jobTokens } from './job-tokens.ts';
import { firebaseDoor, googleAccounts, type KeysAt, oidcDoor, remoteKeys } from './tokens.ts';

export type DoorSettings = {
  /** None: everybody is the local user. */
  authModes: readonly ('firebase' | 'session-cookie' | 'oidc' | 'api-key')[];
  projectId: string;
  firebaseProject?: string | undefined;
  firebaseAuthEmulatorHost?: string | undefined;
  sessionCookie: string;
  oidcIssuer?: string | undefined;
  oidcAudience?: string | undefined;
  oidcJwksUrl?: string | undefined;
  tenantClaim?: string | undefined;
  scopesClaim?: string | undefined;
  signingSecrets: readonly string[];
};

export type DoorOptions = {
  clock: Clock;
  apiKeys?: AuthenticatorOptions['apiKeys'];
  keysAt?: KeysAt;
};

/** `jobTokens` is absent where nobody needs one, or no secret signs them. */
export type Doors = { authenticate: Authenticate; jobTokens: JobTokens | undefined };

/** Opens the doors that the settings name, and no others. */
export function openDoors(settings: DoorSettings, { clock, apiKeys, keysAt = remoteKeys }: DoorOptions): Doors {
  const { authModes, signingSecrets, tenantClaim, scopesClaim } = settings;
  if (authModes.length === 0) return { authenticate: asLocalUser, jobTokens: undefined };
  const [secret, ...others] = signingSecrets;
  const tokens = secret === undefined ? undefined : jobTokens({ clock, secrets: [secret, ...others] });
  const common = { clock, keysAt, tenantClaim, scopesClaim };
  const firebase = {
    ...common,
    projectId: settings.firebaseProject ?? settings.projectId,
    isEmulator: settings.firebaseAuthEmulatorHost !== undefined,
  };
  const has = (mode: DoorSettings['authModes'][number]) => authModes.includes(mode);
  const authenticate = authenticator({
    clock,
    bearers: [
      ...(has('firebase') ? [firebaseDoor(firebase, 'securetoken')] : []),
      ...(has('oidc') ? [oidcDoor({ ...common, ...issuerIn(settings) })] : []),
      ...(tokens ? [tokens.door] : []),
    ],
    inUrl: tokens?.door,
    session: has('session-cookie')
      ? { cookie: settings.sessionCookie, door: firebaseDoor(firebase, 'session') }
      : undefined,
    apiKeys: has('api-key') ? apiKeys : undefined,
  });
  return { authenticate, jobTokens: tokens };
}

function issuerIn({ oidcIssuer: issuer = '', oidcAudience: audience = '', oidcJwksUrl: jwksUrl }: DoorSettings) {
  return { issuer, audience, jwksUrl };
}

/** A request handler of a function that only Google's services call. */
type Handle = (request: Request) => Promise<Response>;

export type InvokerSettings = { invokers: readonly string[]; invokerAudiences: readonly string[] };

/**
 * Lets through what service accounts send that may push or call: Pub/Sub, Cloud Scheduler. Without a list everybody may,
 * which the settings allow off Google Cloud alone; with `iam` whoever Cloud Run let through.
 *
 * @see https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
 */
export function onlyInvokers(
  { invokers, invokerAudiences }: InvokerSettings,
  { clock, log, keysAt = remoteKeys }: { clock: Clock; log: Log; keysAt?: KeysAt },
): (handle: Handle) => Handle {
  if (invokers.length === 0 || invokers.includes('iam')) return (handle) => handle;
  const emailOf = googleAccounts({ clock, keysAt }, invokerAudiences);
  return (handle) => async (request) => {
    try {
      const [, token = ''] = /^Bearer +([^\s]+)$/i.exec(request.headers.get('authorization') ?? '') ?? [];
      const email = await emailOf(token);
      if (email !== undefined && invokers.includes(email)) return handle(request);
      log('warning', 'invoker-refused', { why: email === undefined ? 'token' : 'account' });
      return new Response(null, { status: email === undefined ? 401 : 403 });
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      log('error', 'invoker-unknown', { code: error.code });
      return new Response(null, { status: 503 });
    }
  };
}
