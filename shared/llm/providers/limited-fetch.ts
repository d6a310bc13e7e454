/** `fetch` as a provider may use it: bounded, and never to another host than the one that was configured. */
import { ServiceError } from '../../core/errors.ts';

/** A streamed answer of the largest size that is stored takes about 30 MB on the wire. */
const WIRE_BYTES_MOST = 64 * 1024 * 1024;
/** The last event repeats the whole answer. The SDKs join lines in quadratic time: 16 MB blocked the process for 2 s. */
const LINE_BYTES_MOST = 4 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Follows no redirect, which would carry the prompt (and all but one kind of key) elsewhere, as a call that nobody
 * recorded; and ends a body beyond a size with an error, for an SDK that gathers whole bodies must not fill the memory.
 * `onRefusal` hears of either, for SDKs that hide what `fetch` throws.
 */
export function limitedFetch(
  fetchAny: typeof fetch,
  onRefusal: (error: ServiceError) => void = () => {},
): typeof fetch {
  const refuse = (code: 'provider_error' | 'response_too_large', sentence: string): never => {
    const error = new ServiceError(code, sentence);
    onRefusal(error);
    throw error;
  };
  return async (url, init) => {
    const response = await fetchAny(url, { ...init, redirect: 'manual' });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      refuse('provider_error', 'The provider redirects to another address; set its base URL to that one.');
    }
    let bytes = 0;
    let lineBytes = 0;
    const limit = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        if (bytes > WIRE_BYTES_MOST) refuse('response_too_large', 'The answer is too large on the wire.');
        const newline = chunk.lastIndexOf(NEWLINE);
        lineBytes = newline < 0 ? lineBytes + chunk.byteLength : chunk.byteLength - newline - 1;
        if (lineBytes > LINE_BYTES_MOST) refuse('response_too_large', 'A line of the answer is too large on the wire.');
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body?.pipeThrough(limit) ?? null, response);
  };
}

/** Google's servers put an error into a list of one, in which OpenAI's SDK does not find it. */
export function unlistedErrors(fetchAny: typeof fetch): typeof fetch {
  return async (url, init) => {
    const response = await fetchAny(url, init);
    if (response.ok || !response.headers.get('content-type')?.includes('json')) return response;
    const text = await response.text();
    const { status, statusText, headers } = response;
    return new Response(onlyItemOf(text) ?? text, { status, statusText, headers });
  };
}

function onlyItemOf(json: string): string | undefined {
  try {
    const document: unknown = JSON.parse(json);
    return Array.isArray(document) && document.length === 1 ? JSON.stringify(document[0]) : undefined;
  } catch {
    return undefined;
  }
}
