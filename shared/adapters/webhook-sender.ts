/** `WebhookSender` over HTTP: signed as Standard Webhooks has it, and only to where it may go. */

import type { WebhookSender } from '../core/notices.ts';
import type { Clock } from '../core/ports.ts';

export type WebhookSenderOptions = {
  /** `whsec_…`, the newest first; all of them sign. */
  secrets: readonly string[];
  /** Names that may be called, `*.` for all below one; empty: every public one. */
  hosts: readonly string[];
  /** Also plain http, and addresses that are not public. */
  allowPrivate: boolean;
  clock: Clock;
};

export function webhookSender(options: WebhookSenderOptions): WebhookSender {
  return {
    refusalOf: () => undefined,
    send: async () => ({ delivered: false, ms: 0, failure: 'network', message: 'not built yet' }),
    secretsOf: () => [...options.secrets],
  };
}
