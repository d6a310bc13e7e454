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
  assertInputsFit([input], bytesMost);
}

/** As `assertInputFits`, of the inputs of all variants together: each of them is looked at with every submit. */
export function assertInputsFit(inputs: readonly Json[], bytesMost = INPUT_BYTES_MOST): void {
  const bytes = inputs.reduce<number>((sum, input) => sum + jsonBytes(input).length, 0);
  if (bytes <= bytesMost) return;
  const what = inputs.length > 1 ? 'The inputs of all variants together are' : 'The input is';
  throw new ServiceError('input_too_large', `${what} ${bytes} bytes; at most ${bytesMost} are accepted.`);
}
