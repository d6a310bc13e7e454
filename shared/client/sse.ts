/**
 * Reads server-sent events from bytes, wherever these were cut.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */

/** How long it may take until the first bytes: the server sends some at once. */
export const FIRST_MS = 15_000;
/** The server shows every 15 s that it is alive. */
export const SILENCE_MS = 45_000;

/** One without a name has `''`; `id` is absent where the event does not say one. */
export type ServerSentEvent = { event: string; data: string; id?: string };

export type EventParser = {
  /** The events that are whole with these bytes. What never becomes whole is no event. */
  push(bytes: Uint8Array): ServerSentEvent[];
  /** After how long the server wants its reader back, if it said so. */
  retryMs(): number | undefined;
};

export function eventParser(): EventParser {
  // It drops a byte order mark, too.
  const decoder = new TextDecoder();
  let line = '';
  let endedInReturn = false;
  let retryMs: number | undefined;
  let fields: { event?: string; data?: string; id?: string } = {};

  function takeField(name: string, value: string): void {
    if (name === 'data') fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`;
    else if (name === 'event') fields.event = value;
    else if (name === 'id' && !value.includes('\0')) fields.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) retryMs = Number(value);
  }

  function takeLine(): ServerSentEvent | undefined {
    if (line === '') {
      const { event = '', data, id } = fields;
      fields = {};
      return data === undefined ? undefined : { event, data, ...(id !== undefined && { id }) };
    }
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    takeField(name, value);
    return undefined;
  }

  return {
    push(bytes) {
      const text = decoder.decode(bytes, { stream: true });
      if (text === '') return [];
      // The second half of a line's end.
      const rest = endedInReturn && text[0] === '\n' ? text.slice(1) : text;
      endedInReturn = text.endsWith('\r');
      const events: ServerSentEvent[] = [];
      // What is kept is not looked through again: a line may have megabytes.
      const [first = '', ...others] = rest.split(/\r\n?|\n/);
      line += first;
      for (const next of others) {
        const event = takeLine();
        if (event) events.push(event);
        line = next;
      }
      return events;
    },

    retryMs: () => retryMs,
  };
}
