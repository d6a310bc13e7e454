/** The background mode of the provider that scenarios write: it works on answers by itself, for as long as it is told. */
import type { Usage } from '../../shared/core/attempt-record.ts';
import type { Background, LlmPart, LlmRequest } from '../../shared/core/llm.ts';
import type { Clock } from '../../shared/core/ports.ts';
import { type Faulty, faulty } from '../support/faulty.ts';

type Call = { prompt: string; nth: number };

/** An answer that the provider works on, or worked on. */
export type UpstreamDouble = {
  id: string;
  prompt: string;
  startedMs: number;
  /** When somebody looked. */
  looksMs: number[];
  /** How often somebody was given the answer. */
  given: number;
  /** How often it was asked to stop. */
  cancels: number;
};

export type BackgroundDouble = {
  /** Can be made to fail: as `network`. */
  port: Faulty<Background>;
  /** All that was begun, in order; about one prompt, or all. */
  begun(prompt?: string): UpstreamDouble[];
  /** How long each answer takes. */
  takes(ms: number): void;
  /** What it says was used when it is asked to stop. */
  counts(usage: Usage): void;
  /** It knows no background: it answers the start, when it is done. */
  answersAtOnce(): void;
  /** It does not know its answers any more. */
  forget(): void;
};

export type BackgroundDoubleOptions<C extends Call> = {
  clock: Clock;
  called: (request: LlmRequest, signal: AbortSignal) => C;
  answerTo: (call: C) => AsyncIterable<LlmPart>;
};

export function backgroundDouble<C extends Call>(options: BackgroundDoubleOptions<C>): BackgroundDouble {
  const { clock, called, answerTo } = options;
  const all = new Map<string, { upstream: UpstreamDouble; call: C }>();
  const begun: UpstreamDouble[] = [];
  let tookMs = 0;
  let usage: Usage | undefined;
  let isAtOnce = false;

  const port: Background = {
    async start(request, { signal }) {
      const call = called(request, signal);
      const named = { providerRequestId: `req-${call.nth}` };
      if (isAtOnce) return { ...named, parts: withoutAccepted(answerTo(call)) };
      const id = `upstream-${begun.length + 1}`;
      const { prompt } = call;
      const upstream = { id, prompt, startedMs: clock.monotonicMs(), looksMs: [], given: 0, cancels: 0 };
      all.set(id, { upstream, call });
      begun.push(upstream);
      return { id, ...named };
    },
    async look(id) {
      const known = all.get(id);
      if (!known) return { gone: true };
      const { upstream, call } = known;
      upstream.looksMs.push(clock.monotonicMs());
      if (clock.monotonicMs() - upstream.startedMs < tookMs) return { pending: true };
      upstream.given += 1;
      return { parts: withoutAccepted(answerTo(call)) };
    },
    async cancel(id) {
      const known = all.get(id);
      if (!known) return {};
      known.upstream.cancels += 1;
      return { usage };
    },
  };

  return {
    port: faulty(port, { clock, code: 'network' }),
    begun: (prompt) => begun.filter((upstream) => prompt === undefined || upstream.prompt === prompt),
    takes(ms) {
      tookMs = ms;
    },
    counts(said) {
      usage = said;
    },
    answersAtOnce() {
      isAtOnce = true;
    },
    forget: () => all.clear(),
  };
}

async function* withoutAccepted(parts: AsyncIterable<LlmPart>): AsyncIterable<LlmPart> {
  for await (const part of parts) if (part.type !== 'accepted') yield part;
}
