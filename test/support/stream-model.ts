/** A job whose text grows, as a server of streams knows it, and the connections on which it tells of that. */
import type { ScriptedAnswer } from './scripted-fetch.ts';

/** Each is an attempt: the texts of its chunks. */
export type Attempts = readonly (readonly string[])[];

export type Connection = {
  latencyMs: number;
  /** How many more chunks there are meanwhile. */
  more: number;
  /** Is the reader's cursor unknown? */
  isForgotten: boolean;
  retryMs?: number | undefined;
  /** The bytes come in so large pieces, so far apart; the last ones do not come at all. */
  pieceBytes: number;
  gapMs: number;
  lostBytes: number;
  ending: 'close' | 'break' | 'silence';
};

export type StreamAnswer = ScriptedAnswer & { retryMs?: number };

const IDS_PER_ATTEMPT = 1_000_000;
const encoder = new TextEncoder();

/** The job of these attempts; `view` is how it looks before its end, and after it. */
export function streamModel(attempts: Attempts, view: (isOver: boolean) => object) {
  const positions = attempts.flatMap((chunks, index) => {
    const from = (index + 1) * IDS_PER_ATTEMPT;
    const reset = { id: from, name: index === 0 ? 'begin' : 'reset', data: { attempt: index + 1 }, text: '' };
    const deltas = chunks.map((text, n) => ({
      ...{ id: from + n + 1, name: 'delta', data: { text } },
      text: chunks.slice(0, n + 1).join(''),
    }));
    return [reset, ...deltas];
  });
  let known = 0;

  /** What a reader with this cursor is told, of what there is now. */
  function events(cursor: number | undefined, isForgotten: boolean, isOver: boolean): string[] {
    const seen = positions[known];
    const begins = cursor === undefined || isForgotten;
    const after = begins ? [] : positions.filter(({ id }, at) => id > cursor && at <= known);
    return [
      ...(begins ? [eventOf('snapshot', { ...view(false), partial_result: seen?.text }, seen?.id)] : []),
      ...after.map(({ name, data, id }) => eventOf(name, data, id)),
      ...(begins || after.length > 0 ? [eventOf('progress', { progress: 50, message: 'Half' })] : []),
      ...(isOver ? [eventOf('done', view(true), attempts.length * IDS_PER_ATTEMPT + IDS_PER_ATTEMPT - 1)] : []),
    ];
  }

  return {
    textAt: (id: number) => positions.find((position) => position.id === id)?.text,
    /** All that there will be. */
    last: () => positions.at(-1),

    /** One connection; the job is over with the last. */
    connect(url: string, connection: Connection, isLast: boolean): StreamAnswer {
      const cursor = new URL(url).searchParams.get('starting_after');
      const { more, isForgotten, retryMs, pieceBytes, gapMs, lostBytes, ending, latencyMs } = connection;
      known = isLast ? positions.length - 1 : Math.min(known + more, positions.length - 1);
      const told = events(cursor === null ? undefined : Number(cursor), isForgotten, isLast).join(': alive\n\n');
      const bytes = encoder.encode(told);
      const lost = isLast ? 0 : Math.min(lostBytes, bytes.length);
      const pieces = [];
      for (let at = 0; at < bytes.length - lost; at += pieceBytes) {
        pieces.push({ afterMs: gapMs, bytes: bytes.subarray(at, Math.min(at + pieceBytes, bytes.length - lost)) });
      }
      const opening = retryMs === undefined ? ': hello\n\n' : `retry: ${retryMs}\n\n`;
      return {
        ...{ latencyMs, status: 200, headers: { 'Content-Type': 'text/event-stream' } },
        pieces: [{ afterMs: 0, bytes: encoder.encode(opening) }, ...pieces],
        ending: isLast ? 'close' : ending,
        ...(retryMs !== undefined && { retryMs }),
      };
    },
  };
}

function eventOf(name: string, data: object, id?: number): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n${id === undefined ? '' : `id: ${id}\n`}\n`;
}
