/** Settings of who may come in, and how much each may ask for. */
import {
  choice,
  deployed,
  type Environment,
  hasNoDoors,
  listed,
  optional,
  type Setting,
  text,
  toFlag,
  toPair,
  whole,
} from './config-kinds.ts';

/** Kinds of credentials that are accepted. */
export const AUTH_MODES = ['firebase', 'session-cookie', 'oidc', 'api-key'] as const;
export type AuthMode = (typeof AUTH_MODES)[number];

/** Requests per minute of one principal; `strangers`: of one address without valid credentials. */
export type RateLimits = { writes: number; reads: number; jobReads: number; strangers: number };

const isSaidOff = (environment: Environment) => listed(environment.AUTH_MODE).length > 0 && hasNoDoors(environment);
const opens = (environment: Environment, mode: AuthMode) => listed(environment.AUTH_MODE).includes(mode);

function neededBy(mode: AuthMode, variable: string, meaning: string): Setting<string | undefined> {
  const read = (raw: string | undefined, environment: Environment) => {
    if (raw !== undefined || !opens(environment, mode)) return raw;
    throw new Error(`must be set: AUTH_MODE names \`${mode}\``);
  };
  return { variable, meaning, shownDefault: '', read };
}

/** A host on the internet whose word we take must be asked in a way that nobody on the way can answer. */
function urlOf(mode: AuthMode | undefined, variable: string, meaning: string): Setting<string | undefined> {
  const needed = mode === undefined ? optional(variable, meaning) : neededBy(mode, variable, meaning);
  const read = (raw: string | undefined, environment: Environment) => {
    const url = needed.read(raw, environment);
    const schemes = deployed(environment) ? ['https:'] : ['https:', 'http:'];
    if (url === undefined || (URL.canParse(url) && schemes.includes(new URL(url).protocol))) return url;
    throw new Error(`must be a URL: ${schemes.map((scheme) => `${scheme}//…`).join(' or ')}`);
  };
  return { ...needed, read };
}

export const ACCESS_SETTINGS = {
  authModes: {
    variable: 'AUTH_MODE',
    meaning:
      'Which credentials are accepted, separated by commas: `firebase`, `session-cookie`, `oidc`, `api-key`. `none`: everybody is one local user. On Google Cloud it must be set.',
    shownDefault: 'none',
    read: (raw, environment) => {
      const modes = listed(raw ?? (deployed(environment) ? '' : 'none'));
      const known = `known values: none, ${AUTH_MODES.join(', ')}`;
      if (modes.length === 0) throw new Error(`must be set here; ${known}`);
      if (modes.length === 1 && modes[0] === 'none') return [];
      const unknown = modes.find((mode) => !AUTH_MODES.includes(mode as AuthMode));
      if (unknown === 'none') throw new Error('must not have `none` beside others');
      if (unknown !== undefined) throw new Error(`has an unknown value, ${unknown}; ${known}`);
      return modes as AuthMode[];
    },
  } satisfies Setting<AuthMode[]>,
  allowNoAuth: {
    variable: 'ALLOW_NO_AUTH',
    meaning:
      '`true`: `AUTH_MODE=none` is meant, also on Google Cloud, where everybody on the internet may then spend your money.',
    shownDefault: '',
    read: (raw, environment) => {
      const isMeant = toFlag(raw) ?? false;
      if (isMeant || !deployed(environment) || !isSaidOff(environment)) return isMeant;
      throw new Error('must be true, if AUTH_MODE=none is really meant: it lets everybody in');
    },
  } satisfies Setting<boolean>,
  firebaseProject: optional('FIREBASE_PROJECT', 'The Firebase project of the users, if not `GOOGLE_CLOUD_PROJECT`.'),
  firebaseAuthEmulatorHost: {
    variable: 'FIREBASE_AUTH_EMULATOR_HOST',
    meaning: "`host:port` of Firebase's auth emulator, whose unsigned tokens are then accepted. Never on Google Cloud.",
    shownDefault: '',
    read: (raw, environment) => {
      if (raw === undefined || !(deployed(environment) || environment.NODE_ENV === 'production')) return raw;
      throw new Error('must not be set on Google Cloud or in production: anybody can make tokens that are not signed');
    },
  } satisfies Setting<string | undefined>,
  sessionCookie: text('SESSION_COOKIE', 'The name of the Firebase session cookie.', '__session'),
  oidcIssuer: urlOf('oidc', 'OIDC_ISSUER', 'The issuer of OIDC tokens, exactly as its tokens have it in `iss`.'),
  oidcAudience: neededBy('oidc', 'OIDC_AUDIENCE', 'What its tokens must have in `aud`.'),
  oidcJwksUrl: urlOf(
    undefined,
    'OIDC_JWKS_URL',
    "Where the issuer's keys are, if not where its discovery document says.",
  ),
  tenantClaim: optional(
    'TENANT_CLAIM',
    'The claim that names the tenant of a token, like `firebase.tenant` or `org_id`, which then may not be `default`; without it all are of `default`.',
  ),
  scopesClaim: optional(
    'SCOPES_CLAIM',
    'The claim that lists the scopes of a token; one without it may read and write its own jobs.',
  ),
  signingSecrets: {
    variable: 'SIGNING_SECRETS',
    meaning:
      'Secrets of 32 characters or more, separated by commas, for job tokens: the first one signs, all are accepted. Without it there are none.',
    shownDefault: '',
    read: (raw) => {
      const secrets = listed(raw);
      if (secrets.every((secret) => secret.length >= 32)) return secrets;
      throw new Error('must be of 32 characters or more each: openssl rand -base64 32');
    },
  } satisfies Setting<string[]>,
  invokers: {
    variable: 'INVOKERS',
    meaning:
      'Service accounts that may push to the worker and call the sweeper, separated by commas; `iam`: whoever Cloud Run lets through. On Google Cloud it must be set.',
    shownDefault: '',
    read: (raw, environment) => {
      const accounts = listed(raw);
      if (accounts.length > 1 && accounts.includes('iam')) throw new Error('must not have `iam` beside others');
      if (accounts.length > 0 || !deployed(environment)) return accounts;
      throw new Error('must name the service accounts of Pub/Sub and Cloud Scheduler, or be `iam`');
    },
  } satisfies Setting<string[]>,
  invokerAudiences: {
    variable: 'INVOKER_AUDIENCES',
    meaning:
      'What their tokens must have in `aud`, separated by commas. On Google Cloud it must be set, unless `INVOKERS=iam`.',
    shownDefault: '',
    read: (raw, environment) => {
      const audiences = listed(raw);
      // Whoever else such an account calls could come to us with the token that it got.
      const isNeeded = deployed(environment) && !listed(environment.INVOKERS).includes('iam');
      if (audiences.length > 0 || !isNeeded) return audiences;
      throw new Error('must name what the tokens of INVOKERS are for, as their subscriptions and schedules have it');
    },
  } satisfies Setting<string[]>,
  trustedProxies: {
    variable: 'TRUSTED_PROXIES',
    meaning: 'How many proxies stand before us, each of which adds to `X-Forwarded-For`: tells addresses apart.',
    shownDefault: '0; 1 on Google Cloud',
    read: (raw, environment) => whole('', '', deployed(environment) ? 1 : 0, 0, 10).read(raw, environment),
  } satisfies Setting<number>,
  rateLimits: {
    variable: 'RATE_LIMITS',
    meaning:
      'Requests per minute of one principal that write, read, or read one and the same job, and of one address without credentials; `off`.',
    shownDefault: 'writes=600,reads=1200,job-reads=240,strangers=60; off under AUTH_MODE=none',
    read: (raw, environment) => {
      if (raw === 'off' || (raw === undefined && hasNoDoors(environment))) return undefined;
      return toRateLimits(raw ?? '');
    },
  } satisfies Setting<RateLimits | undefined>,
  maxRunning: {
    variable: 'MAX_RUNNING',
    meaning:
      'How many jobs of one tenant run at once, in all (`*`) and on one model; `acme/` before it: for that tenant, in place of the general limit. `*=20,gpt-4o=3,acme/*=5,…`. The same for all functions.',
    shownDefault: '',
    read: (raw) => toLimits(listed(raw)),
  } satisfies Setting<ReadonlyMap<string, number>>,
  credits: choice(
    'CREDITS',
    '`on`: every job takes from an account of its user, who without one submits nothing. The same for all functions.',
    ['on', 'off'],
    'off',
    () => 'off',
  ),
  redisUrl: {
    variable: 'REDIS_URL',
    meaning:
      'Redis, where rate limits hold across instances, and results are found for an hour as `result:{job_id}`; without it each instance has its own.',
    shownDefault: '',
    read: (raw) => {
      if (raw === undefined || (/^rediss?:\/\//.test(raw) && URL.canParse(raw))) return raw;
      throw new Error('must be a URL: redis://host:6379, or rediss://… for TLS');
    },
  } satisfies Setting<string | undefined>,
};

/** A reader who polls a job each 500 ms is never refused. */
const JOB_READS_LEAST = 120;

function toRateLimits(raw: string): RateLimits {
  const limits: Record<string, number> = { writes: 600, reads: 1_200, 'job-reads': 240, strangers: 60 };
  const pairs = listed(raw).map(toPair);
  for (const [index, [name, value]] of pairs.entries()) {
    if (!Object.hasOwn(limits, name))
      throw new Error(`has an unknown name, ${name}; known: ${Object.keys(limits).join(', ')}`);
    if (pairs.findIndex(([other]) => other === name) < index) throw new Error(`names ${name} twice`);
    const perMinute = Number(value);
    if (!Number.isInteger(perMinute) || perMinute < 1) throw new Error(`must have whole numbers, not ${name}=${value}`);
    limits[name] = perMinute;
  }
  const { writes = 0, reads = 0, 'job-reads': jobReads = 0, strangers = 0 } = limits;
  if (jobReads >= JOB_READS_LEAST) return { writes, reads, jobReads, strangers };
  throw new Error(`must leave job-reads at ${JOB_READS_LEAST} or more: clients poll each 500 ms`);
}

/** `[tenant/]model|*` to a number; the name may hold `=` itself. */
function toLimit(item: string): [string, number] {
  const [, name = '', digits] = /^(.+)=\s*(\d+)$/.exec(item) ?? [];
  const limit = Number(digits);
  if (/^[^/](.*[^/])?$/.test(name.trim()) && limit >= 1 && limit <= 10_000) return [name.trim(), limit];
  throw new Error(
    `must be pairs of a model, or \`*\` for all, and a whole number from 1 to 10000, separated by commas, such as \`*=20,gpt-4o=3,acme/*=5\`; \`${item}\` is none`,
  );
}

function toLimits(items: string[]): ReadonlyMap<string, number> {
  const limits = new Map(items.map(toLimit));
  if (limits.size === items.length) return limits;
  throw new Error('must name each model, or `*`, once');
}
