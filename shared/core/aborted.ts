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
export function untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: () => abortable(source[Symbol.asyncIterator](), signal) };
}

/** By hand, for a generator around a source would make more promises of each step of a long answer. */
function abortable<T>(iterator: AsyncIterator<T>, signal: AbortSignal): AsyncIterator<T> {
  let isOver = false;
  let abort = (_: unknown) => {};
  // One listener for all steps.
  const stop = () => abort(signal.reason);
  signal.addEventListener('abort', stop);
  const leave = () => {
    if (isOver) return;
    isOver = true;
    signal.removeEventListener('abort', stop);
    // Not awaited: a source that hangs in `next` never returns.
    const returned = async () => await iterator.return?.();
    void returned().catch(() => {});
  };
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const fail = (error: unknown) => {
          leave();
          reject(error);
        };
        const take = (step: IteratorResult<T>) => {
          abort = () => {};
          // A user's source may answer anything.
          if (typeof step !== 'object' || step === null)
            return fail(new TypeError(`${step} is no step of an iterator`));
          if (step.done) leave();
          resolve(step);
        };
        if (isOver) return resolve(OVER);
        abort = fail;
        if (signal.aborted) return stop();
        try {
          iterator.next().then(take, fail);
        } catch (error) {
          fail(error);
        }
      }),
    async return() {
      leave();
      return OVER;
    },
  };
}

const OVER: IteratorReturnResult<undefined> = { done: true, value: undefined };
