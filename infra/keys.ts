/**
 * `npm run keys -- create|list|revoke`: the API keys of services, in the SQLite file of `npm start` (which must not be
 * running: it holds the file alone), or in Firestore with `--project` or the emulator. A new key goes to standard output
 * and is shown once; all else about it goes to standard error, so that `KEY=$(npm run -s keys -- create …)` works.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { stdoutLog } from '../shared/adapters/stdout-log.ts';
import { type Config, readConfig } from '../shared/config.ts';
import { SCOPES, type Scope } from '../shared/core/access.ts';
import { type ApiKey, type ApiKeyStore, isKeyIdPrefix, KEY_ID_DIGITS } from '../shared/core/api-keys.ts';
import { isTenant } from '../shared/core/ids.ts';
import type { Log } from '../shared/core/ports.ts';
import { newApiKey } from '../shared/http/api-keys.ts';
import { explain } from './explain.ts';

const USAGE = `Usage:
  npm run keys -- create --name reports [--tenant default] [--user key:reports] [--scopes jobs:read,jobs:write] [--days 90]
  npm run keys -- list [--tenant default]
  npm run keys -- revoke <id>
Each takes --project <id>: the keys in that project's Firestore, not those in the file that DATABASE_URL names.`;

const DAY_MS = 86_400_000;
const DAYS_MOST = 3_650;
const DEFAULT_SCOPES = 'jobs:read,jobs:write';

/** Something that whoever called can mend. */
class KeysError extends Error {}

const OPTIONS = {
  create: ['name', 'tenant', 'user', 'scopes', 'days', 'project'],
  list: ['tenant', 'project'],
  revoke: ['project'],
} as const;
type Command = keyof typeof OPTIONS;
type Options = Partial<Record<(typeof OPTIONS)['create'][number], string>>;
type Act = (keys: ApiKeyStore, log: Log) => Promise<void>;

/** What these words ask for. Throws a sentence for people, before anything is opened. */
export function actOf(args: string[]): { act: Act; project: string | undefined } {
  const [command = '', ...rest] = args;
  if (!isCommand(command))
    throw new KeysError(`${command === '' ? 'Say' : `'${command}' is unknown; say`} what to do.`);
  const { options, operands } = parse(command, rest);
  if (command !== 'revoke' && operands.length > 0) {
    throw new KeysError(`'${operands[0]}' is one word too many for ${command}.`);
  }
  if (command === 'create') return { act: creating(options), project: options.project };
  if (command === 'list') return { act: listing(tenantIn(options)), project: options.project };
  return { act: revoking(operands), project: options.project };
}

function isCommand(text: string): text is Command {
  return Object.hasOwn(OPTIONS, text);
}

function parse(command: Command, args: string[]): { options: Options; operands: string[] } {
  const known = OPTIONS[command].map((name) => [name, { type: 'string' }] as const);
  try {
    const { values, positionals } = parseArgs({ args, options: Object.fromEntries(known), allowPositionals: true });
    return { options: values as Options, operands: positionals };
  } catch (error) {
    // The rest of the message is about options that begin with a dash.
    const [sentence = ''] = (error as Error).message.split('. ');
    throw new KeysError(`${sentence}; ${command} takes ${OPTIONS[command].map((name) => `--${name}`).join(', ')}.`);
  }
}

function creating(options: Options): Act {
  const { name = '', user, scopes = DEFAULT_SCOPES, days } = options;
  // Names and tenants go by one rule: both are parts of other words.
  if (!isTenant(name)) {
    const wrong = options.name === undefined ? 'is required' : 'is wrong';
    throw new KeysError(`--name ${wrong}: 1 to 64 letters, digits, ".", "_" and "-", a letter or digit first.`);
  }
  const tenant = tenantIn(options) ?? 'default';
  if (user !== undefined && !/^[\x21-\x7e]{1,128}$/.test(user)) {
    throw new KeysError('--user must be 1 to 128 visible ASCII characters.');
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
    const widths = heads.map((head, n) => Math.max(head.length, ...rows.map((row) => row[n]?.length ?? 0)));
    for (const row of [heads, ...rows]) {
      console.log(
        row
          .map((cell, n) => cell.padEnd(widths[n] ?? 0))
          .join('  ')
          .trimEnd(),
      );
    }
  };
}

function revoking([idPrefix, ...more]: string[]): Act {
  if (idPrefix === undefined || more.length > 0 || !isKeyIdPrefix(idPrefix)) {
    throw new KeysError(
      `revoke takes one id, or how it begins: up to ${KEY_ID_DIGITS} hexadecimal digits, as list shows it.`,
    );
  }
  return async (keys, log) => {
    const outcome = await keys.revoke(idPrefix, Date.now());
    if ('refused' in outcome) {
      if (outcome.refused === 'missing') throw new KeysError(`No key's id begins with ${idPrefix}; see list.`);
      throw new KeysError(`More than one key's id begins with ${idPrefix}: give more digits. None was revoked.`);
    }
    const { revoked } = outcome;
    log('info', 'audit', { act: 'api-key-revoked', ...auditOf(revoked) });
    console.error(`Key ${revoked.id} (${revoked.name}) is revoked. Processes that know it take it for a minute more.`);
  };
}

function auditOf({ id, name, tenant, user, scopes }: ApiKey) {
  return { key_id: id, name, tenant, user, scopes: scopes.join() };
}

function tenantIn({ tenant }: Options): string | undefined {
  if (tenant === undefined || isTenant(tenant)) return tenant;
  throw new KeysError('--tenant must be 1 to 64 letters, digits, ".", "_" and "-", a letter or digit first.');
}

function scopesIn(text: string): Scope[] {
  const wanted = [...new Set(text.split(',').map((scope) => scope.trim()))];
  const known = SCOPES.filter((scope) => wanted.includes(scope));
  if (known.length === wanted.length) return known;
  throw new KeysError(`--scopes must be some of ${SCOPES.join(', ')}, separated by commas.`);
}

function daysIn(text: string): number {
  const days = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= DAYS_MOST) return days;
  throw new KeysError(`--days must be a whole number from 1 to ${DAYS_MOST}.`);
}

function dateOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

async function runtimeFor(config: Config, project: string | undefined) {
  // It takes a second to load: what is wrong with the words is said before.
  const { embeddedRuntime, googleRuntime } = await import('../shared/runtime.ts');
  if (project === '') throw new KeysError('--project must name a project.');
  if (project !== undefined || config.firestoreEmulatorHost) {
    return googleRuntime({ ...config, projectId: project ?? config.projectId });
  }
  if (config.databaseUrl !== ':memory:') return embeddedRuntime(config);
  throw new KeysError('DATABASE_URL is :memory:, which keeps nothing: set it to a file, or give --project.');
}

async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const { act, project } = actOf(process.argv.slice(2));
  const config = readConfig();
  const runtime = await runtimeFor(config, project);
  // One line for each act, whatever the level of other lines.
  const log = stdoutLog({ format: config.logFormat, level: 'info' }, (line) => process.stderr.write(line));
  try {
    await act(runtime.apiKeys, log);
  } finally {
    await runtime.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error: unknown) => {
    console.error(error instanceof KeysError ? `${error.message}\n${USAGE}` : explain(error));
    process.exitCode = 1;
  });
}
