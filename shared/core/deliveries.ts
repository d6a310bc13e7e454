/** What the owner of a job learns of its webhook's deliveries, and can do about them. */
import { keyFor, type Principal, type Seen, seenBy } from './access.ts';
import { auditJobs, auditTenant } from './audit.ts';
import { ServiceError } from './errors.ts';
import { applyChanges, type JobKey } from './job.ts';
import { transition } from './lifecycle.ts';
import type { WebhookSender } from './notices.ts';
import type { Clock, JobQueue, JobStore, Log } from './ports.ts';
import { ringDoorbell } from './ring.ts';
import { newerVersion } from './schema-version.ts';

export type Deliveries = {
  /** The job, with its outbox and its log of deliveries as they are now. Throws `job_not_found`, `store_unavailable`. */
  deliveries(principal: Principal, id: string): Promise<Seen>;
  /**
   * Has the newest event of the job sent again, with the id that it had, whatever became of it; the schedule of tries
   * begins anew. Throws `job_not_found`, `nothing_to_deliver` where its webhook has no event yet, `store_unavailable`.
   */
  redeliver(principal: Principal, id: string): Promise<Seen>;
  /** What verifies the signatures of the principal's tenant. Throws `webhooks_off`. */
  webhookSecrets(principal: Principal): string[];
};

export type DeliveriesOptions = {
  store: JobStore;
  queue: JobQueue;
  clock: Clock;
  log: Log;
  webhooks?: WebhookSender | undefined;
};

/** A change that meets a newer document is decided again on it, this often at most. */
const TRIES = 5;

export function deliveries(options: DeliveriesOptions): Deliveries {
  const { store, log, webhooks } = options;

  async function find(principal: Principal, key: JobKey) {
    const found = await store.get(key);
    return { found, seen: seenBy(principal, found && { job: found.job, nowMs: found.readAtMs }) };
  }

  return {
    async deliveries(principal, id) {
      const { seen } = await find(principal, keyFor(principal, id));
      auditJobs(log, principal, 'read', [seen.job]);
      return seen;
    },

    async redeliver(principal, id) {
      const key = keyFor(principal, id);
      for (let tries = 0; tries < TRIES; tries++) {
        const { found, seen } = await find(principal, key);
        if (tries === 0) auditJobs(log, principal, 'redeliver', [seen.job]);
        const decision = transition(seen.job, { type: 'tell-again', nowMs: seen.nowMs });
        if (decision.refused === 'newer-version') throw newerVersion();
        if (decision.refused) {
          const reason = seen.job.webhook ? 'none of the events it asked for has happened' : 'it has no webhook';
          throw new ServiceError('nothing_to_deliver', `There is nothing to deliver for this job: ${reason}.`);
        }
        const answer = found && (await store.update(key, found.revision, decision.changes));
        if (!answer || 'refused' in answer) continue;
        await ringDoorbell(options, seen.job);
        return { job: applyChanges(seen.job, decision.changes), nowMs: answer.written.atMs };
      }
      throw new ServiceError('store_unavailable', 'The job is being changed all the time. Try again.', {
        retryAfterMs: 1_000,
      });
    },

    webhookSecrets(principal) {
      auditTenant(log, principal, 'webhook-secrets');
      if (webhooks) return webhooks.secretsOf(principal.tenant);
      throw new ServiceError('webhooks_off', 'Webhooks are off: set WEBHOOK_SECRETS.');
    },
  };
}
