/** I6: what must hold of the accounts of all jobs after every commit. */
import type Database from 'libsql';
import type { Account } from '../../shared/core/accounts.ts';
import type { Job } from '../../shared/core/job.ts';
import { brokenLedger } from '../support/account-rules.ts';

/** Of each fourth seed the user has an account, with tokens for some of the jobs. */
export function tokensOf(seed: number): number | undefined {
  return seed % 4 === 0 ? 9_000 : undefined;
}

/** What does not hold now. */
export function moneyCheck(database: Database.Database, granted: number | undefined): () => string[] {
  if (granted === undefined) return () => [];
  const selectAccounts = database.prepare('SELECT account FROM accounts');
  const selectJobs = database.prepare('SELECT job FROM jobs');

  return () => {
    const jobs = (selectJobs.all() as { job: string }[]).map(({ job }) => JSON.parse(job) as Job);
    const accounts = (selectAccounts.all() as { account: string }[]).map(
      ({ account }) => JSON.parse(account) as Account,
    );
    const jobsOf = (tenant: string) => jobs.filter((job) => job.tenant === tenant);
    return accounts.flatMap((account) => brokenLedger(account, jobsOf(account.tenant), granted));
  };
}
