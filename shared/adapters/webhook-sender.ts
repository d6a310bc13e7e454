/** `WebhookSender` over HTTP: signed as Standard Webhooks has it, and only to where it may go. */
import type { Sent, WebhookSender } from '../core/notices.ts';
import type { Clock } from '../core/ports.ts';
import { isPublicAddress } from './webhook-addresses.ts';
import { type CallOptions, call } from './webhook-call.ts';
import { dnsLookup, machineLookup } from './webhook-lookup.ts';
import { refusalOf, type WebhookRules } from './webhook-rules.ts';
import { secretOf, signedHeaders } from './webhook-signing.ts';

export type WebhookSenderOptions = Pick<WebhookRules, 'hosts' | 'allowPrivate'> & {
  /** `whsec_…`, the newest first; all of them sign. */
  secrets: readonly string[];
  clock: Clock;
  /** All addresses of a name; absent: as the DNS has it, and where private ones are allowed as the machine resolves it. */
  lookup?: CallOptions['lookup'];
  /** Absent: as IANA has it. */
  isPublic?: WebhookRules['isPublic'];
  /** Trusted instead of the well-known authorities, in PEM. */
  ca?: string;
};

export function webhookSender(options: WebhookSenderOptions): WebhookSender {
  const { secrets, clock, isPublic = isPublicAddress, allowPrivate } = options;
  const rules = { ...options, isPublic };
  const calling = {
    ...{ clock, ca: options.ca, lookup: options.lookup ?? (allowPrivate ? machineLookup : dnsLookup()) },
    isAllowed: (address: string) => allowPrivate || isPublic(address),
  };

  function secretsOf(tenant: string): string[] {
    return secrets.map((secret) => secretOf(tenant, secret));
  }

  return {
    refusalOf: (url) => refusalOf(url, rules),
    async send({ tenant, url, traceparent }, message): Promise<Sent> {
      const startedMs = clock.monotonicMs();
      const refusal = refusalOf(url, rules);
      if (refusal) return { delivered: false, ms: 0, failure: 'refused', message: `The URL ${refusal}.` };
      const headers = {
        ...{ 'content-type': 'application/json', 'user-agent': 'llm-jobs' },
        ...signedHeaders(message, clock.nowMs(), secretsOf(tenant)),
        ...(traceparent === undefined ? {} : { traceparent }),
      };
      const outcome = await call({ url: new URL(url), headers, body: message.body }, calling);
      return { ...outcome, ms: Math.round(clock.monotonicMs() - startedMs) };
    },
    secretsOf,
  };
}
