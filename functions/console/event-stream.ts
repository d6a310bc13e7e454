/** Server-sent events of the service, opened again whenever they end, while somebody looks. */
import { LlmJobsError } from '../../shared/client/errors.ts';
import { persist } from '../../shared/client/persisting.ts';
import { notOurs, type Send, within } from '../../shared/client/requests.ts';
import { eventParser, FIRST_MS, SILENCE_MS } from '../../shared/client/sse.ts';
import { browserVisibility } from '../../shared/client/visibility.ts';

export type EventHearer = {
  event(name: string, data: unknown): void;
  /** Does anything come through now? */
  stream?(state: 'asking' | 'live' | 'off'): void;
};

/** Follows them until the signal fires; rejects with what cannot pass by itself. */
export function followEvents(send: Send, path: string, hearer: EventHearer, signal: AbortSignal): Promise<never> {
  const tryOnce = (stop: AbortSignal) =>
    within(FIRST_MS, stop, undefined, async (limited, extend) => {
      hearer.stream?.('asking');
      const response = await send({ path, headers: { Accept: 'text/event-stream' } }, limited);
      const isStream = /^text\/event-stream/i.test(response.headers.get('content-type') ?? '');
      const reader = isStream ? response.body?.getReader() : undefined;
      if (!reader) throw notOurs(undefined, response);
      const parser = eventParser();
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return { againAfterMs: parser.retryMs() };
          extend(SILENCE_MS);
          for (const { event, data } of parser.push(value)) {
            hearer.event(event, JSON.parse(data));
            hearer.stream?.('live');
          }
        }
      } catch (cause) {
        limited.throwIfAborted();
        throw new LlmJobsError('no_answer', 'The stream broke off.', { cause });
      } finally {
        reader.cancel().catch(() => {});
      }
    }).finally(() => hearer.stream?.('off'));
  const timedOut = () => new LlmJobsError('no_answer', 'The stream ended.');
  return persist<never>(tryOnce, { signal, timeoutMs: Infinity, visibility: browserVisibility, timedOut });
}
