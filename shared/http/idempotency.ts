/** The `Idempotency-Key` header, quoted as the draft has it or bare as clients send it. */
import { invalidRequest } from '../core/errors.ts';
import { KEY_RULE, normalizedKey } from '../core/ids.ts';

/**
 * The key in a header, or `undefined` without one. Throws `invalid_request` for one that is none.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = normalizedKey(header);
  if (key !== undefined) return key;
  throw invalidRequest([{ path: 'Idempotency-Key', message: KEY_RULE }]);
}
