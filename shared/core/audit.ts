/** The trace of what administrators do with what is not theirs: one line for each act. */
import type { Principal } from './access.ts';
import type { Job } from './job.ts';
import type { Log } from './ports.ts';

export type AdminAct =
  | 'read'
  | 'list'
  | 'stream'
  | 'cancel'
  | 'delete'
  | 'redrive'
  | 'redeliver'
  | 'webhook-secrets'
  | 'erase-user'
  | 'usage'
  | AccountAct;
/** What only administrators do to accounts, their own among them. */
export type AccountAct = 'account-read' | 'account-set' | 'tokens-granted';

/** Notes that a principal acted on these jobs; nothing, where all of them are its own. */
export function auditJobs(log: Log, principal: Principal, act: AdminAct, jobs: readonly Job[]): void {
  const others = jobs.filter(({ user }) => user !== principal.user);
  const [first] = others;
  if (!first) return;
  const target = others.length === 1 ? { job_id: first.id, owner: first.user } : { jobs: others.length };
  audit(log, principal, act, target);
}

/** Notes that a principal acted on another person. */
export function auditUser(log: Log, principal: Principal, act: AdminAct, user: string): void {
  if (user !== principal.user) audit(log, principal, act, { owner: user });
}

/** Notes that a principal changed an account, whoever's it is. */
export function auditAccount(
  log: Log,
  principal: Principal,
  act: AccountAct,
  facts: { owner: string; subscription?: string; tokens?: number },
): void {
  audit(log, principal, act, facts);
}

/** Notes that a principal acted on the whole tenant. */
export function auditTenant(log: Log, principal: Principal, act: AdminAct): void {
  audit(log, principal, act, {});
}

function audit(log: Log, { tenant, user }: Principal, act: AdminAct, target: Parameters<Log>[2]): void {
  log('info', 'audit', { act, actor: user, tenant, ...target });
}
