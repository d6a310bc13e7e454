/** What a page asks for when it is shown: under way, there, or failed; asked anew on demand, and when a lost connection is back. */
import { useCallback, useEffect, useRef, useState } from 'react';
import type { LlmJobsError } from '../../shared/client/client.ts';
import { connection } from './connection.ts';

export type Asked<T> = {
  /** The last answer, also while it is asked anew. */
  answer: T | undefined;
  /** When it came. */
  atMs: number | undefined;
  error: LlmJobsError | undefined;
  isAsking: boolean;
  again(): void;
};

type Known<T> = { key: string; answer?: T; atMs?: number; error?: LlmJobsError; isAsking: boolean };

/** Asks, when the component appears and whenever `key` changes; the signal fires when nobody wants the answer any more. */
export function useAsked<T>(key: string, ask: (signal: AbortSignal) => Promise<T>): Asked<T> {
  const [state, setState] = useState<Known<T>>({ key, isAsking: true });
  const [round, setRound] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks anew
  useEffect(() => {
    const leaving = new AbortController();
    setState((before) => (before.key === key ? { ...before, isAsking: true } : { key, isAsking: true }));
    latest.current(leaving.signal).then(
      (answer) => {
        if (!leaving.signal.aborted) setState({ key, answer, atMs: Date.now(), isAsking: false });
      },
      (error: LlmJobsError) => {
        if (!leaving.signal.aborted) setState((before) => ({ ...before, error, isAsking: false }));
      },
    );
    return () => leaving.abort();
  }, [key, round]);

  const again = useCallback(() => setRound((before) => before + 1), []);
  useEffect(
    () =>
      connection.subscribe(() => {
        if (!connection.isLost()) again();
      }),
    [again],
  );
  const { answer, atMs, error, isAsking }: Known<T> = state.key === key ? state : { key, isAsking: true };
  return { answer, atMs, error, isAsking, again };
}
