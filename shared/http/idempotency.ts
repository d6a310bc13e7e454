/** The `Idempotency-Key` header, quoted as the draft has it or bare as clients send it. */
import { invalidRequest } from '../core/errors.ts';

const LENGTH_MOST = 255;

/**
 * The key in a header, or `undefined` without one. Throws `invalid_request` for an empty or overlong key.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(header.trim())?.[1] ?? header.trim();
  if (key.length >= 1 && key.length <= LENGTH_MOST) return key;
  throw invalidRequest([{ path: 'Idempotency-Key', message: `must have 1 to ${LENGTH_MOST} characters` }]);
}
