/** `fetch` within Gemini's package, which takes none of ours, and passes on nothing of what an answer's headers say. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServiceError } from '../../core/errors.ts';
import { retryAfterOf } from './failures.ts';
import type { GeminiHeaders } from './gemini-errors.ts';
import { GATHERED_BYTES_MOST, limitedFetch } from './limited-fetch.ts';

/** What our `fetch` saw within a call: what it refused, and the headers of the answer. */
export type FetchWatch = { refusal?: ServiceError; headers: GeminiHeaders };

const watched = new AsyncLocalStorage<FetchWatch>();
let isGuarding = false;

/** Runs a call of the package: within it, and nowhere else, the global `fetch` is bounded and follows no redirect. */
export function guardedFetch<T>(watch: FetchWatch, call: () => T): T {
  replaceFetch();
  return watched.run(watch, call);
}

function replaceFetch(): void {
  if (isGuarding) return;
  isGuarding = true;
  const plain = globalThis.fetch;
  globalThis.fetch = async (url, init) => {
    const watch = watched.getStore();
    if (!watch) return plain(url, init);
    const onRefusal = (refusal: ServiceError) => {
      watch.refusal = refusal;
    };
    // The package keeps each event of a stream to its end.
    const response = await limitedFetch(plain, { onRefusal, streamBytesMost: GATHERED_BYTES_MOST })(url, init);
    const { ok, headers } = response;
    watch.headers = {
      requestId: headers.get('x-request-id') ?? undefined,
      ...(ok ? {} : { retryAfterMs: retryAfterOf(headers, Date.now()) }),
    };
    return response;
  };
}
