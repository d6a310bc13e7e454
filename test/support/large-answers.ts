/** Answers of megabytes, in the frames of each protocol. */
import { once } from 'node:events';
import type { Protocol } from '../providers/protocols.ts';
import type { Exchange } from './scripted-provider.ts';

const DELTA_CHARACTERS = 4_000;
/** Large frames are written in such pieces: a reader gets no more at once. */
const PIECE_BYTES = 64 * 1024;

/** The frames of one whole answer; its deltas may end within a character. */
export function* largeFrames({ opening, delta, ending, repeatingEnding }: Protocol, text: string): Generator<string> {
  yield opening;
  for (let at = 0; at < text.length; at += DELTA_CHARACTERS) yield delta(text.slice(at, at + DELTA_CHARACTERS));
  yield repeatingEnding?.(text) ?? ending;
}

/** Streams frames as fast as they are taken, until the other side has gone; answers how many bytes that was. */
export async function send({ response, stream }: Exchange, frames: Iterable<string | Buffer>): Promise<number> {
  const hasGone = once(response, 'close');
  let sent = 0;
  stream();
  for (const frame of frames) {
    const bytes = Buffer.from(frame);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      if (response.destroyed) return sent;
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      sent += piece.byteLength;
      if (!response.write(piece)) await Promise.race([once(response, 'drain'), hasGone]);
      // Our own writes must not keep the reader from its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  response.end();
  return sent;
}
