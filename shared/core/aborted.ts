/** Waiting for those who may not listen to a signal: a client that a user brought, a token that does not come. */

/** Why a call is ended whose answer is not read on, or is read whole. One for all: to make one takes a stack. */
export const LEFT = new DOMException('The answer is not read on.', 'AbortError');

/** What the promise brings; throws the signal's reason as soon as it is aborted. The promise goes on unheard. */
export async function orAborted<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Yields from a source; throws the signal's reason as soon as it is aborted, and leaves the source alone. */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  // One listener for all steps: each of a long answer costs as little as it can.
  let abort = (_: unknown) => {};
  const stop = () => abort(signal.reason);
  signal.addEventListener('abort', stop);
  const next = () =>
    new Promise<IteratorResult<T>>((resolve, reject) => {
      abort = reject;
      if (signal.aborted) stop();
      else iterator.next().then(resolve, reject);
    });
  try {
    for (;;) {
      const step = await next();
      if (step.done) return;
      yield step.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    // Not awaited: a source that hangs in `next` never returns.
    void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}
