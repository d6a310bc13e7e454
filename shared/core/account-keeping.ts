/** What users see of their accounts, and what administrators do with those of their tenant. */
import { type Principal, seesAll } from './access.ts';
import type { AccountKey, AccountSettings, AccountStore, StoredAccount } from './accounts.ts';
import { auditAccount, auditUser } from './audit.ts';
import { invalidRequest, isServiceError, ServiceError } from './errors.ts';
import { derivedId, isUser } from './ids.ts';
import type { Log } from './ports.ts';

/** The most tokens that one grant adds, or takes away. */
export const GRANT_MOST = 1_000_000_000_000;

/** All throw `credits_off` where credits are off, `invalid_request` for what no user can be called, and `store_unavailable`. */
export type AccountKeeping = {
  /** Throws `forbidden` to anybody but an admin and the user themself, and `account_not_found`. */
  account(principal: Principal, user: string): Promise<StoredAccount>;
  /** Creates an account, or changes its settings; its tokens stay as they are. */
  setAccount(principal: Principal, user: string, settings: AccountSettings): Promise<StoredAccount>;
  /**
   * Adds tokens to an account, or takes them away: once for each key, and a repeat is answered with the account as it is.
   * Throws `account_not_found`, `invalid_request` without a key, and `idempotency_conflict` for one under which another
   * number was granted.
   */
  grantTokens(
    principal: Principal,
    user: string,
    grant: { key: string | undefined; tokens: number },
  ): Promise<StoredAccount>;
};

export type AccountKeepingOptions = { accounts: AccountStore; log: Log };

/** Without options, as where credits are off. */
export function accountKeeping(options: AccountKeepingOptions | undefined): AccountKeeping {
  if (!options) return { account: refuse, setAccount: refuse, grantTokens: refuse };
  const { accounts, log } = options;

  async function found(key: AccountKey): Promise<StoredAccount> {
    const stored = await accounts.get(key);
    if (stored) return stored;
    throw missing(key.user);
  }

  return {
    async account(principal, user) {
      const key = keyOf(principal, user);
      if (user !== principal.user && !seesAll(principal)) {
        const sentence = 'Only an administrator, or this user, may see the account of a user.';
        throw new ServiceError('forbidden', sentence, { fields: { scope: 'admin' } });
      }
      auditUser(log, principal, 'account-read', user);
      return found(key);
    },

    async setAccount(principal, user, settings) {
      const key = keyOf(principal, user);
      auditAccount(log, principal, 'account-set', { owner: user, subscription: settings.subscription });
      await accounts.put(key, settings);
      return found(key);
    },

    async grantTokens(principal, user, { key: words, tokens }) {
      const key = keyOf(principal, user);
      if (words === undefined) {
        const message = 'is required: a grant that is sent again must not count twice';
        throw invalidRequest([{ path: 'Idempotency-Key', message }]);
      }
      const granting = grantOnce(accounts, key, { words, tokens });
      // One of unknown fate may have been given; one that was refused was not.
      const isRefused = await granting.then(
        () => false,
        (error: unknown) => !isServiceError(error, 'store_unavailable'),
      );
      if (!isRefused) auditAccount(log, principal, 'tokens-granted', { owner: user, tokens });
      await granting;
      return found(key);
    },
  };
}

/** As `AccountStore.grant`, for whoever has words that name the grant. Throws as `grantTokens` does. */
export async function grantOnce(
  accounts: AccountStore,
  key: AccountKey,
  { words, tokens }: { words: string; tokens: number },
): Promise<void> {
  const id = await derivedId('grant', key.tenant, key.user, words);
  const outcome = await accounts.grant(key, { id, tokens });
  if ('granted' in outcome) return;
  if (outcome.refused === 'missing') throw missing(key.user);
  if (outcome.tokens === tokens) return;
  const sentence = `Under this Idempotency-Key ${outcome.tokens} tokens were granted before. Use another one.`;
  throw new ServiceError('idempotency_conflict', sentence);
}

function keyOf({ tenant }: Principal, user: string): AccountKey {
  if (isUser(user)) return { tenant, user };
  throw invalidRequest([{ path: 'user_id', message: 'must be 1 to 300 visible characters' }]);
}

function missing(user: string): ServiceError {
  return new ServiceError('account_not_found', `There is no account of ${user}. PUT one first.`);
}

async function refuse(): Promise<never> {
  throw new ServiceError('credits_off', 'Credits are off, so there are no accounts: set CREDITS=on.');
}
