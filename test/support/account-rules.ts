/** I6, the money: what must hold of an account at every commit. Pure. */
import type { Account } from '../../shared/core/accounts.ts';
import type { Amounts } from '../../shared/core/costs.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';

const AMOUNTS = ['tokens', 'nanoUsd'] as const;

/** What does not hold of an account, by itself: `granted` are the tokens that it was given. */
export function brokenAccount(account: Account, granted: number, overrun = Number.POSITIVE_INFINITY): string[] {
  const { user, balance, reserved, charged, nanoUsdByDay } = account;
  const days = Object.values(nanoUsdByDay);
  const sum = (name: 'reserved' | 'charged') => days.reduce((total, day) => total + day[name], 0);
  const broken = (isBroken: boolean, what: string) =>
    isBroken ? [`I6 ${user}: ${what} ${JSON.stringify(account)}`] : [];
  return [
    ...broken(balance + charged.tokens !== granted, `balance and charges are not the ${granted} granted`),
    ...broken(
      AMOUNTS.some((name) => reserved[name] < 0 || charged[name] < 0),
      'less than nothing is held or charged',
    ),
    ...broken(reserved.tokens + charged.tokens > granted + overrun, `more than was granted and ${overrun} over`),
    ...broken(sum('reserved') !== reserved.nanoUsd, 'the days do not add up to what is held'),
    ...broken(sum('charged') !== charged.nanoUsd, 'the days do not add up to what was charged'),
  ];
}

/** What does not hold of an account and all of its jobs, as they are at one instant. */
export function brokenLedger(account: Account, jobs: readonly Job[], granted: number): string[] {
  const { user, reserved, charged } = account;
  const sum = (amounts: readonly Amounts[], name: 'tokens' | 'nanoUsd') =>
    amounts.reduce((total, amount) => total + amount[name], 0);
  const holds = jobs.flatMap(({ hold, settled }) => (hold && !settled ? hold : []));
  const ledger = jobs.flatMap(({ settled }) => settled ?? []);
  const overrun = ledger.reduce((total, one) => total + Math.max(0, one.charged.tokens - one.released.tokens), 0);
  const wrong = jobs.filter(
    ({ hold, settled, state, attempt }) =>
      (hold === undefined) !== (attempt === 0) || (settled !== undefined) !== (hold !== undefined && isTerminal(state)),
  );
  const charges = ledger.map((settled) => settled.charged);
  return [
    ...brokenAccount(account, granted, overrun),
    ...AMOUNTS.filter((name) => sum(holds, name) !== reserved[name]).map(
      (name) => `I6 ${user}: ${name} held by jobs: ${sum(holds, name)}, by the account: ${reserved[name]}`,
    ),
    ...AMOUNTS.filter((name) => sum(charges, name) !== charged[name]).map(
      (name) => `I6 ${user}: ${name} in the ledger: ${sum(charges, name)}, in the account: ${charged[name]}`,
    ),
    ...wrong.map(({ id, state }) => `I6 ${id}: ${state}, and its hold is not as it should be`),
  ];
}
