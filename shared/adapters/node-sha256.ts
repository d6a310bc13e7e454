/** `Sha256` of Node. */
import { hash } from 'node:crypto';
import { type Sha256, sha256 } from '../core/ids.ts';

/** So many take 40 µs. */
const HERE_BYTES_MOST = 64 * 1024;

/**
 * Of little at once, which takes 1 µs for a hundred bytes where Web Crypto's way through another thread takes 20, and its turn
 * there; of much by Web Crypto, beside this thread.
 */
export const nodeSha256: Sha256 = (bytes) =>
  bytes.length <= HERE_BYTES_MOST ? hash('sha256', bytes, 'buffer') : sha256(bytes);
