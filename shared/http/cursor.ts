/**
 * Where the next page of a list begins, as a client hands it back. It is no secret, and gives no right: the list it is
 * used on shows what its caller may see. Its checksum tells a mistake from a place: a cursor that was cut, made up, or
 * taken from another list would show a page with a gap that nobody notices.
 */
import { invalidRequest } from '../core/errors.ts';
import { fingerprintOf, isJobId } from '../core/ids.ts';
import type { Json } from '../core/job.ts';
import type { JobPosition } from '../core/ports.ts';

const CHECKSUM_DIGITS = 16;

/** The place in the list that `list` describes: whose it is, and its filters. */
export async function encodeCursor({ createdAt, id }: JobPosition, list: Json): Promise<string> {
  const checksum = (await fingerprintOf([createdAt, id, list])).slice(0, CHECKSUM_DIGITS);
  return Buffer.from(JSON.stringify([createdAt, id, checksum])).toString('base64url');
}

/** The place that a cursor of this list names. Throws `invalid_request` for any other text; `next` is where cursors are. */
export async function decodeCursor(text: string, list: Json, next = 'next_cursor'): Promise<JobPosition> {
  const position = positionIn(text);
  // Base64 has several spellings of one value; ours is the only one.
  if (position && (await encodeCursor(position, list)) === text) return position;
  const message = `is no cursor of this list; take ${next} from the page before as it is, with the same filters`;
  throw invalidRequest([{ path: 'cursor', message }]);
}

function positionIn(text: string): JobPosition | undefined {
  try {
    const [createdAt, id] = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Number.isSafeInteger(createdAt) && typeof id === 'string' && isJobId(id) ? { createdAt, id } : undefined;
  } catch {
    return undefined;
  }
}
