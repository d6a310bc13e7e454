/** A `fetch` whose answers a script makes, in virtual time: what a network and whoever is at its end may do to a client. */
import { expect, vi } from 'vitest';
import type { VisibilitySource } from '../../shared/client/visibility.ts';

export type ScriptedAnswer = {
  /** After how long there are headers, or an error; `Infinity`: never. */
  latencyMs: number;
  /** `unreachable` rejects instead of answering; after the pieces the body is closed, broken, or silent for ever. */
  ending: 'unreachable' | 'close' | 'break' | 'silence';
  status: number;
  headers: Record<string, string>;
  pieces: { afterMs: number; bytes: Uint8Array }[];
};

export type ScriptedRequest<Answer extends ScriptedAnswer = ScriptedAnswer> = {
  url: string;
  method: string;
  answer: Answer;
  startedMs: number;
  /** When there were headers, */
  answeredMs?: number;
  /** when the last bytes came, */
  heardMs?: number;
  /** the body was whole, or broken, or nobody was reached, */
  endedMs?: number;
  /** or the client did not want it any more. */
  abortedMs?: number;
};

export const isOpen = ({ endedMs, abortedMs }: ScriptedRequest) => endedMs === undefined && abortedMs === undefined;

/** Answers with what `next` says. Its timers are gone when the client breaks a request off. */
export function scriptedFetch<Answer extends ScriptedAnswer>(
  next: (url: string) => Answer,
): { fetch: typeof fetch; requests: ScriptedRequest<Answer>[] } {
  const requests: ScriptedRequest<Answer>[] = [];

  async function scripted(input: unknown, init: RequestInit = {}): Promise<Response> {
    const signal = init.signal as AbortSignal;
    const url = String(input);
    const { method = 'GET' } = init;
    const request: ScriptedRequest<Answer> = { url, method, answer: next(url), startedMs: performance.now() };
    requests.push(request);
    const { latencyMs, ending, status, headers } = request.answer;
    if (signal.aborted) {
      request.abortedMs = performance.now();
      throw signal.reason;
    }
    signal.addEventListener('abort', () => {
      if (isOpen(request)) request.abortedMs = performance.now();
    });
    const isLeft = await pauseUnless(signal, latencyMs);
    if (isLeft) throw signal.reason;
    if (ending === 'unreachable') {
      request.endedMs = performance.now();
      throw new TypeError('fetch failed');
    }
    request.answeredMs = performance.now();
    request.heardMs = request.answeredMs;
    const isEmpty = [204, 304].includes(status);
    if (isEmpty) request.endedMs = request.answeredMs;
    return new Response(isEmpty ? null : bodyOf(request, signal), { status, headers });
  }

  return { fetch: scripted as typeof fetch, requests };
}

function bodyOf(request: ScriptedRequest, signal: AbortSignal): ReadableStream<Uint8Array> {
  const { pieces, ending } = request.answer;
  return new ReadableStream({
    async start(controller) {
      signal.addEventListener('abort', () => controller.error(signal.reason));
      for (const { afterMs, bytes } of pieces) {
        if (await pauseUnless(signal, afterMs)) return;
        request.heardMs = performance.now();
        controller.enqueue(bytes);
      }
      if (ending === 'silence' || signal.aborted) return;
      request.endedMs = performance.now();
      if (ending === 'close') controller.close();
      else controller.error(new TypeError('terminated'));
    },
  });
}

/** Waits, unless the signal fires first: then `true`. */
function pauseUnless(signal: AbortSignal, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve(signal.aborted);
    };
    const timer = ms === Infinity ? undefined : setTimeout(over, ms);
    signal.addEventListener('abort', over);
  });
}

/**
 * What holds for the requests of one wait: one at a time, a little apart, none after its end or while nobody is there, and
 * when somebody goes, none goes on. `flips` are the instants at which somebody goes and comes in turn.
 */
export function checkRequests(requests: readonly ScriptedRequest[], flips: readonly number[], endedMs: number): void {
  for (const [index, request] of requests.entries()) {
    const { startedMs, endedMs: overMs, abortedMs } = request;
    const goneMs = overMs ?? abortedMs ?? Infinity;
    expect(startedMs).toBeLessThanOrEqual(endedMs);
    expect(goneMs).toBeLessThanOrEqual(endedMs);
    const flipsBefore = flips.filter((flip) => flip < startedMs).length;
    expect(flipsBefore % 2 === 0 || flips.includes(startedMs)).toBe(true);
    const hiddenMs = flips.find((flip, n) => n % 2 === 0 && flip > startedMs) ?? Infinity;
    expect(goneMs).toBeLessThanOrEqual(hiddenMs);
    const before = requests[index - 1];
    if (!before) continue;
    expect(before.endedMs ?? before.abortedMs ?? Infinity).toBeLessThanOrEqual(startedMs);
    expect(startedMs - before.startedMs).toBeGreaterThanOrEqual(250);
  }
}

const realImmediate = setImmediate;
/** Lets everything run that waits for no time. */
export const settle = () => new Promise<void>((resolve) => realImmediate(() => realImmediate(resolve)));

/** Goes from timer to timer until it is so, or there are none any more; answers whether it is so. */
export async function runUntil(isSo: () => boolean, mostMs: number): Promise<boolean> {
  await settle();
  while (!isSo() && vi.getTimerCount() > 0 && performance.now() < mostMs) {
    vi.advanceTimersToNextTimer();
    await settle();
  }
  return isSo();
}

/** A page that is hidden and shown at these instants, in turn, counted from the start. */
export function flappingVisibility(instants: readonly number[]) {
  const listeners = new Set<() => void>();
  let active = true;
  const flip = () => {
    active = !active;
    for (const listener of [...listeners]) listener();
  };
  const timers = instants.map((instant) => setTimeout(flip, instant));
  const source: VisibilitySource = {
    isActive: () => active,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    source,
    listeners: () => listeners.size,
    stop: () => timers.forEach(clearTimeout),
  };
}
