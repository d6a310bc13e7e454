/**
 * Signatures of Standard Webhooks 1.0.0, symmetric.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#webhook-headers-sending-metadata-to-consumers
 */
import { createHmac } from 'node:crypto';
import type { NoticeMessage } from '../core/notices.ts';

const PREFIX = 'whsec_';
/** The tenant of those who have none of their own. */
const DEFAULT_TENANT = 'default';

/** The headers of a message that is sent now; one signature for each secret, in their order. */
export function signedHeaders(
  { id, body }: NoticeMessage,
  nowMs: number,
  secrets: readonly string[],
): { [name: string]: string } {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signatures = secrets.map((secret) => `v1,${hmac(secret, `${id}.${timestamp}.${body}`)}`);
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

/**
 * A secret of our own, as this tenant has it. Whoever is shown theirs cannot sign for any other, but for those of `default`:
 * it is the tenant of whoever runs the service, which no token can claim where tokens name tenants (`http/tokens.ts`).
 */
export function secretOf(tenant: string, secret: string): string {
  return tenant === DEFAULT_TENANT ? secret : `${PREFIX}${hmac(secret, `llm-jobs webhook ${tenant}`)}`;
}

function hmac(secret: string, text: string): string {
  return createHmac('sha256', Buffer.from(secret.slice(PREFIX.length), 'base64'))
    .update(text)
    .digest('base64');
}
