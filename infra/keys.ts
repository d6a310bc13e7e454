/**
 * `npm run keys -- create|list|revoke`: the API keys of services, in the SQLite file of `npm start` (which must not be
 * running: it holds the file alone), or in Firestore with `--project` or the emulator. A new key goes to standard output
 * and is shown once; all else about it goes to standard error, so that `KEY=$(npm run -s keys -- create …)` works.
 */
import { randomBytes } from 'node:crypto';
import { SCOPES, type Scope } from '../shared/core/access.ts';
import { type ApiKey, type ApiKeyStore, isKeyIdPrefix, KEY_ID_DIGITS } from '../shared/core/api-keys.ts';
import { isTenant } from '../shared/core/ids.ts';
import type { Log } from '../shared/core/ports.ts';
import { toTime } from '../shared/core/utc.ts';
import { newApiKey } from '../shared/http/api-keys.ts';
import {
  commandOf,
  type Operation,
  OperatorError,
  operate,
  printTable,
  refuseOperands,
  tenantIn,
  wordsOf,
} from './operating.ts';

const USAGE = `Usage:
  npm run keys -- create --name reports [--tenant default] [--user key:reports] [--scopes jobs:read,jobs:write] [--days 90]
  npm run keys -- list [--tenant default]
  npm run keys -- revoke <id>
Each takes --project <id>: the keys in that project's Firestore, not those in the file that DATABASE_URL names.`;

const DAY_MS = 86_400_000;
const DAYS_MOST = 3_650;
const DEFAULT_SCOPES = 'jobs:read,jobs:write';

const OPTIONS = {
  create: ['name', 'tenant', 'user', 'scopes', 'days', 'project'],
  list: ['tenant', 'project'],
  revoke: ['project'],
} as const;
type Command = keyof typeof OPTIONS;
type Options = Partial<Record<(typeof OPTIONS)['create'][number], string>>;
type Act = (keys: ApiKeyStore, log: Log) => Promise<void>;

/** What these words ask for. Throws a sentence for people, before anything is opened. */
export function actOf(args: string[]): Operation {
  const { command, rest } = commandOf<Command>(args, OPTIONS);
  const { options, operands } = wordsOf<keyof Options>(command, OPTIONS[command], rest);
  if (command !== 'revoke') refuseOperands(command, operands);
  const act =
    command === 'revoke' ? revoking(operands) : command === 'list' ? listing(tenantIn(options)) : creating(options);
  return { act: ({ apiKeys }, log) => act(apiKeys, log), project: options.project };
}

function creating(options: Options): Act {
  const { name = '', user, scopes = DEFAULT_SCOPES, days } = options;
  // Names and tenants go by one rule: both are parts of other words.
  if (!isTenant(name)) {
    const wrong = options.name === undefined ? 'is required' : 'is wrong';
    throw new OperatorError(`--name ${wrong}: 1 to 64 letters, digits, ".", "_" and "-", a letter or digit first.`);
  }
  const tenant = tenantIn(options) ?? 'default';
  if (user !== undefined && !/^[\x21-\x7e]{1,128}$/.test(user)) {
    throw new OperatorError('--user must be 1 to 128 visible ASCII characters.');
  }
  const given = { name, tenant, user, scopes: scopesIn(scopes) };
  const lifeMs = days === undefined ? undefined : daysIn(days) * DAY_MS;
  return async (keys, log) => {
    const createdAt = Date.now();
    const expiresAt = lifeMs === undefined ? {} : { expiresAt: createdAt + lifeMs };
    const { key, kept } = newApiKey({ ...given, ...expiresAt, createdAt, random: randomBytes });
    const outcome = await keys.create(kept);
    if ('refused' in outcome) throw new Error('two keys have one hash');
    log('info', 'audit', { act: 'api-key-created', ...auditOf(kept), expires_at: dateOf(kept.expiresAt) });
    const until = kept.expiresAt === undefined ? 'it does not expire' : `it expires at ${dateOf(kept.expiresAt)}`;
    console.error(
      `Key ${kept.id} for ${kept.user} of tenant ${tenant}; ${until}. It is shown this once, keep it safe:`,
    );
    console.log(key);
  };
}

function listing(tenant: string | undefined): Act {
  return async (keys) => {
    const rows = (await keys.list(tenant)).map((key) => [
      ...[key.id, key.name, key.tenant, key.user, key.scopes.join()],
      ...[key.createdAt, key.expiresAt, key.lastUsedAt, key.revokedAt].map((at) => dateOf(at) ?? '-'),
    ]);
    const heads = ['id', 'name', 'tenant', 'user', 'scopes', 'created', 'expires', 'last used', 'revoked'];
    printTable(heads, rows);
  };
}

function revoking([idPrefix, ...more]: string[]): Act {
  if (idPrefix === undefined || more.length > 0 || !isKeyIdPrefix(idPrefix)) {
    throw new OperatorError(
      `revoke takes one id, or how it begins: up to ${KEY_ID_DIGITS} hexadecimal digits, as list shows it.`,
    );
  }
  return async (keys, log) => {
    const outcome = await keys.revoke(idPrefix, Date.now());
    if ('refused' in outcome) {
      if (outcome.refused === 'missing') throw new OperatorError(`No key's id begins with ${idPrefix}; see list.`);
      throw new OperatorError(`More than one key's id begins with ${idPrefix}: give more digits. None was revoked.`);
    }
    const { revoked } = outcome;
    log('info', 'audit', { act: 'api-key-revoked', ...auditOf(revoked) });
    console.error(`Key ${revoked.id} (${revoked.name}) is revoked. Processes that know it take it for a minute more.`);
  };
}

function auditOf({ id, name, tenant, user, scopes }: ApiKey) {
  return { key_id: id, name, tenant, user, scopes: scopes.join() };
}

function scopesIn(text: string): Scope[] {
  const wanted = [...new Set(text.split(',').map((scope) => scope.trim()))];
  const known = SCOPES.filter((scope) => wanted.includes(scope));
  if (known.length === wanted.length) return known;
  throw new OperatorError(`--scopes must be some of ${SCOPES.join(', ')}, separated by commas.`);
}

function daysIn(text: string): number {
  const days = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= DAYS_MOST) return days;
  throw new OperatorError(`--days must be a whole number from 1 to ${DAYS_MOST}.`);
}

function dateOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : toTime(ms);
}

if (process.argv[1] === import.meta.filename) await operate(USAGE, actOf);
