/** How large an input may be. */
import { ServiceError } from './errors.ts';
import type { Json } from './job.ts';
import { jsonBytes } from './json-bytes.ts';

/** The largest input, as UTF-8 bytes of its JSON, that a job may have. */
export const INPUT_BYTES_MOST = 8 * 1024 * 1024;
/** Of contracts whose lists show inputs, or that are made for texts of a few pages. */
export const SMALL_INPUT_BYTES_MOST = 256 * 1024;

/** Throws `input_too_large` for more than a job may have. */
export function assertInputFits(input: Json, bytesMost = INPUT_BYTES_MOST): void {
  const bytes = jsonBytes(input).length;
  if (bytes <= bytesMost) return;
  throw new ServiceError('input_too_large', `The input is ${bytes} bytes; at most ${bytesMost} are accepted.`);
}
