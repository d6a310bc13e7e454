/** The provider that scenarios write: it notes every call and answers as told. */

import type { Json } from '../../shared/core/job.ts';
import { type LlmPart, type LlmProvider, type LlmRequest, textOf } from '../../shared/core/llm.ts';
import type { Clock } from '../../shared/core/ports.ts';
import { type BackgroundDouble, backgroundDouble } from './background-double.ts';

/** A call as the provider saw it; `nth` counts the calls for the same prompt. */
export type ProviderCall = { prompt: string; nth: number; signal: AbortSignal; atMs: number; request: LlmRequest };
export type Generate = (call: ProviderCall) => AsyncIterable<LlmPart>;

export type ProviderDouble = {
  port: LlmProvider;
  /** The calls about one prompt, or all. */
  calls(prompt?: string): ProviderCall[];
  answerWith(generate: Generate): void;
  /** An answer that is given when the test opens it. */
  held: Generate;
  /** Gives the nth answer about a prompt. */
  open(prompt: string, nth?: number): void;
  /** What it does in its background mode; a start is a call. */
  background: BackgroundDouble;
};

/** A plain answer that says which call it is of. */
export async function* answer({ nth }: ProviderCall): AsyncIterable<LlmPart> {
  yield { type: 'accepted', providerRequestId: `req-${nth}` };
  yield { type: 'text-delta', text: `answer ${nth}` };
  yield { type: 'usage', usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } };
  yield { type: 'finish', reason: 'stop' };
}

/** What `general_llm_request` makes of the answer above. */
export function resultOf(nth: number): Json {
  return { success: true, result: `answer ${nth}` };
}

/** The prompt in an input. */
export function promptOf(input: Json): string {
  const { prompt = '' } = (input ?? {}) as { prompt?: string };
  return prompt;
}

export function providerDouble(clock: Clock): ProviderDouble {
  const calls: ProviderCall[] = [];
  const gates = new Map<string, () => void>();
  const opened = new Set<string>();
  let generate: Generate = answer;
  const about = (prompt?: string) => calls.filter((call) => prompt === undefined || call.prompt === prompt);
  const gateOf = (prompt: string, nth: number) => `${nth} ${prompt}`;

  function called(request: LlmRequest, signal: AbortSignal): ProviderCall {
    // What comes later in a conversation is our own: an answer that has to be mended.
    const first = request.messages.find((message) => message.role === 'user');
    const prompt = first ? textOf(first) : '';
    const call = { prompt, nth: about(prompt).length + 1, signal, atMs: clock.monotonicMs(), request };
    calls.push(call);
    return call;
  }
  const background = backgroundDouble<ProviderCall>({ clock, called, answerTo: (call) => generate(call) });

  return {
    port: {
      generate: (request, { signal }) => generate(called(request, signal)),
      background: background.port,
    },
    background,
    calls: about,
    answerWith(next) {
      generate = next;
    },
    async *held(call) {
      const gate = gateOf(call.prompt, call.nth);
      if (!opened.has(gate)) await new Promise<void>((resolve) => gates.set(gate, resolve));
      yield* answer(call);
    },
    open(prompt, nth = 1) {
      opened.add(gateOf(prompt, nth));
      gates.get(gateOf(prompt, nth))?.();
    },
  };
}
