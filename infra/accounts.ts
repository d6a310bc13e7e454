/**
 * `npm run accounts -- show|set|grant`: the accounts of users where `CREDITS=on`, in the SQLite file of `npm start` (which
 * must not be running: it holds the file alone), or in Firestore with `--project` or the emulator.
 */
import { GRANT_MOST, grantOnce } from '../shared/core/account-keeping.ts';
import {
  type AccountKey,
  type AccountSettings,
  type AccountStore,
  availableTokens,
  BUDGET_PERIODS,
  type Budget,
  periodSums,
  SUBSCRIPTIONS,
} from '../shared/core/accounts.ts';
import { toNanoUsd, toUsd } from '../shared/core/costs.ts';
import { isServiceError } from '../shared/core/errors.ts';
import { isUser, KEY_RULE, normalizedKey } from '../shared/core/ids.ts';
import type { Log } from '../shared/core/ports.ts';
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
  npm run accounts -- show --user ada [--tenant default]
  npm run accounts -- set --user ada --subscription active [--budget 20 --period month] [--tenant default]
  npm run accounts -- grant --user ada --tokens 1000 [--key invoice-17] [--tenant default]
Each takes --project <id>: the accounts in that project's Firestore, not those in the file that DATABASE_URL names.
A grant with a --key is given once, however often it is repeated. Without --budget an account has none.`;

const BUDGET_USD_MOST = 1_000_000;

const OF_ALL = ['user', 'tenant', 'project'] as const;
const OPTIONS = {
  show: OF_ALL,
  set: [...OF_ALL, 'subscription', 'budget', 'period'],
  grant: [...OF_ALL, 'tokens', 'key'],
} as const;
type Command = keyof typeof OPTIONS;
type Options = Partial<Record<(typeof OPTIONS)[Command][number], string>>;
type Act = (accounts: AccountStore, log: Log) => Promise<void>;

/** What these words ask for. Throws a sentence for people, before anything is opened. */
export function actOf(args: string[]): Operation {
  const { command, rest } = commandOf<Command>(args, OPTIONS);
  const { options, operands } = wordsOf<keyof Options>(command, OPTIONS[command], rest);
  refuseOperands(command, operands);
  const key = { tenant: tenantIn(options) ?? 'default', user: userIn(options) };
  const acts = { show: showing, set: setting, grant: granting };
  const act = acts[command](key, options);
  return {
    async act({ accounts }, log) {
      await act(accounts, log);
      await show(accounts, key);
    },
    project: options.project,
  };
}

function showing(): Act {
  return async () => {};
}

function setting(key: AccountKey, options: Options): Act {
  const subscription = SUBSCRIPTIONS.find((one) => one === options.subscription);
  if (!subscription) throw new OperatorError(`--subscription must be one of ${SUBSCRIPTIONS.join(', ')}.`);
  const settings: AccountSettings = { subscription, budget: budgetIn(options) };
  return async (accounts, log) => {
    await accounts.put(key, settings);
    log('info', 'audit', { act: 'account-set', tenant: key.tenant, owner: key.user, subscription });
  };
}

function granting(key: AccountKey, options: Options): Act {
  const { tokens: digits = '' } = options;
  const tokens = /^-?\d{1,13}$/.test(digits) ? Number(digits) : 0;
  if (tokens === 0 || Math.abs(tokens) > GRANT_MOST) {
    throw new OperatorError(`--tokens must be a whole number other than 0, from -${GRANT_MOST} to ${GRANT_MOST}.`);
  }
  const words = options.key === undefined ? crypto.randomUUID() : normalizedKey(options.key);
  if (words === undefined) throw new OperatorError(`--key ${KEY_RULE}.`);
  return async (accounts, log) => {
    await grantOnce(accounts, key, { words, tokens }).catch((error: unknown) => {
      if (!isServiceError(error)) throw error;
      if (error.code === 'account_not_found') throw missing(key);
      if (error.code !== 'store_unavailable') throw new OperatorError(error.message);
      // Without its key a repeat would be another grant.
      throw new OperatorError(
        `It is not known whether the tokens were given. To find out, repeat it with --key ${JSON.stringify(words)}: that counts once.`,
      );
    });
    log('info', 'audit', { act: 'tokens-granted', tenant: key.tenant, owner: key.user, tokens });
  };
}

async function show(accounts: AccountStore, key: AccountKey): Promise<void> {
  const stored = await accounts.get(key);
  if (!stored) throw missing(key);
  const { account, readAtMs } = stored;
  const { user, tenant, subscription, balance, reserved, charged, budget } = account;
  const spent = budget && toUsd(periodSums(account, budget.period, readAtMs).charged);
  const shownBudget = budget ? `${spent} of ${toUsd(budget.nanoUsd)} USD this ${budget.period}` : '-';
  const numbers = [balance, reserved.tokens, availableTokens(account), charged.tokens].map(String);
  printTable(
    ['user', 'tenant', 'subscription', 'balance', 'reserved', 'available', 'charged', 'cost in USD', 'budget'],
    [[user, tenant, subscription, ...numbers, String(toUsd(charged.nanoUsd)), shownBudget]],
  );
}

function missing({ tenant, user }: AccountKey): OperatorError {
  return new OperatorError(`There is no account of ${user} in tenant ${tenant}; see set.`);
}

function userIn({ user = '' }: Options): string {
  if (isUser(user)) return user;
  throw new OperatorError('--user must be 1 to 300 visible characters, as jobs show it: firebase:…, oidc:…, key:….');
}

function budgetIn({ budget, period }: Options): Budget | undefined {
  if (budget === undefined && period === undefined) return undefined;
  const usd = /^\d{1,7}(\.\d{1,9})?$/.test(budget ?? '') ? Number(budget) : 0;
  if (usd <= 0 || usd > BUDGET_USD_MOST) {
    throw new OperatorError(`--budget must be a number of US dollars above 0, at most ${BUDGET_USD_MOST}.`);
  }
  const known = BUDGET_PERIODS.find((one) => one === period);
  if (known) return { nanoUsd: toNanoUsd(usd), period: known };
  throw new OperatorError(`--period must be one of ${BUDGET_PERIODS.join(', ')}.`);
}

if (process.argv[1] === import.meta.filename) await operate(USAGE, actOf);
