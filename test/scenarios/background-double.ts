/** The background mode of the provider that scenarios write: it works on answers by itself, for as long as it is told. */
import type { Usage } from '../../shared/core/attempt-record.ts';
import type { Background, LlmPart, LlmRequest } from '../../shared/core/llm.ts';
import type { Clock } from '../../shared/core/ports.ts';
import { type Faulty, faulty } from '../support/faulty.ts';
import type { Generate, ProviderCall } from './provider-double.ts';

/** An answer that the provider works on, or worked on. */
export type UpstreamDouble = {
  id: string;
  call: ProviderCall;
  startedMs: number;
  /** When somebody looked. */
  looksMs: number[];
  /** How often it was asked to stop. */
  cancels: number;
  /** Nobody wanted it any more, before it was done. */
  isCancelled: boolean;
};

export type BackgroundDouble = {
  /** Can be made to fail: as `network`. */
  port: Faulty<Background>;
  /** All that was begun, in order; about one prompt, or all. */
  begun(prompt?: string): UpstreamDouble[];
  /** How long each answer takes. */
  takes(ms: number): void;
  /** What it says was used when it is asked to stop. */
  counts(usage: Usage | undefined): void;
  /** It forgets all answers. */
  forget(): void;
};

export type BackgroundDoubleOptions = {
  clock: Clock;
  called: (request: LlmRequest, signal: AbortSignal) => ProviderCall;
  answerTo: Generate;
};

export function backgroundDouble({ clock, called, answerTo }: BackgroundDoubleOptions): BackgroundDouble {
  const all = new Map<string, UpstreamDouble>();
  const begun: UpstreamDouble[] = [];
  let tookMs = 0;
  let counted: Usage | undefined;

  const port: Background = {
    async start(request, { signal }) {
      const call = called(request, signal);
      const startedMs = clock.monotonicMs();
      const id = `upstream-${begun.length + 1}`;
      const upstream = { id, call, startedMs, looksMs: [], cancels: 0, isCancelled: false };
      all.set(id, upstream);
      begun.push(upstream);
      return { id, providerRequestId: `req-${call.nth}` };
    },
    async look(id) {
      const upstream = all.get(id);
      if (!upstream) return { gone: true };
      upstream.looksMs.push(clock.monotonicMs());
      if (clock.monotonicMs() - upstream.startedMs < tookMs) return { pending: true };
      return { parts: withoutAccepted(answerTo(upstream.call)) };
    },
    async cancel(id) {
      const upstream = all.get(id);
      if (!upstream) return {};
      upstream.cancels += 1;
      upstream.isCancelled = true;
      return { usage: counted };
    },
  };

  return {
    port: faulty(port, { clock, code: 'network' }),
    begun: (prompt) => begun.filter(({ call }) => prompt === undefined || call.prompt === prompt),
    takes: (ms) => {
      tookMs = ms;
    },
    counts: (usage) => {
      counted = usage;
    },
    forget: () => all.clear(),
  };
}

async function* withoutAccepted(parts: AsyncIterable<LlmPart>): AsyncIterable<LlmPart> {
  for await (const part of parts) if (part.type !== 'accepted') yield part;
}
