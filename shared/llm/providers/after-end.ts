/**
 * The last moments of an answer: its end is known, but more may come (usage, a last piece), or nothing ever again from a
 * server that leaves the connection open, or a cut that does not matter any more.
 */

const GRACE_MS = 2_000;

/** Yields from a source; once `ended()` holds, waits only a moment for each further item, and takes an error for the end. */
export async function* withGrace<T>(source: AsyncIterable<T>, ended: () => boolean): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await (ended() ? nextSoon(iterator) : iterator.next());
      if (step === LATE || step.done) return;
      yield step.value;
    }
  } finally {
    // Not awaited: a source that hangs in `next` never returns.
    void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** Reads a source on whose consumer has all that it wanted: does it end by itself within a moment? */
export async function endsSoon(iterator: AsyncIterator<unknown>): Promise<boolean> {
  const step = await nextSoon(iterator);
  return step !== LATE && step.done === true;
}

/** Instead of an item that did not come within a moment, or of an error. */
export const LATE = 'late';

/** The next item of a source whose end is known, and of which nothing that goes wrong matters any more. */
export async function nextSoon<T>(iterator: AsyncIterator<T>): Promise<IteratorResult<T> | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), GRACE_MS);
  });
  try {
    return await Promise.race([iterator.next().catch((): typeof LATE => LATE), late]);
  } finally {
    clearTimeout(timer);
  }
}
