/** The client's reader of server-sent events, against one that others wrote. */
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventParser, type ServerSentEvent } from '../../shared/client/sse.ts';

/** What another reader says of the whole text. */
function expected(text: string): { events: ServerSentEvent[]; retryMs: number | undefined } {
  const events: ServerSentEvent[] = [];
  let retryMs: number | undefined;
  const parser = createParser({
    onEvent: ({ event = '', data, id }) => events.push({ event, data, ...(id !== undefined && { id }) }),
    onRetry: (ms) => {
      retryMs = ms;
    },
  });
  parser.feed(text.replace(/^\uFEFF/, ''));
  return { events, retryMs };
}

/** What ours says, of its bytes in pieces. */
function read(text: string, cuts: readonly number[]) {
  const bytes = new TextEncoder().encode(text);
  const parser = eventParser();
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const events = places.slice(1).flatMap((end, index) => parser.push(bytes.subarray(places[index], end)));
  return { events, retryMs: parser.retryMs() };
}

const pieces = fc.oneof(
  fc.constantFrom('\n', '\r', '\r\n', '\n\n', '\r\n\r\n', ':', ': alive', ' ', '\uFEFF', '\0'),
  fc.constantFrom('data', 'data:', 'data: ', 'event: ', 'event', 'id: ', 'id', 'retry: ', 'retry: 20', 'other: '),
  fc.constantFrom('data: {"text":"é"}\n\n', 'id: 7\nevent: delta\ndata: a\ndata:b\n\n', 'データ', '👩‍🔬'),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
);

test('any text, cut anywhere, even within a character, is the events that the standard sees', () => {
  const texts = fc.array(pieces, { maxLength: 25 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, fc.array(fc.nat(), { maxLength: 12 }), (text, cuts) => {
      // The other one waits for what comes after a carriage return.
      const whole = `${text}x`;
      expect(read(whole, cuts)).toEqual(expected(whole));
    }),
    { numRuns: 2_000 },
  );
});

test('cut at each single byte', () => {
  const text =
    '\uFEFFretry: 2000\r\n\r\n: alive\r\n\r\nid: 1000001\revent: delta\rdata: {"text":\rdata: "👩‍🔬é"}\r\rdata: unfinished\n';
  const bytes = [...new TextEncoder().encode(text).keys()];
  expect(read(text, bytes)).toEqual(expected(text));
  expect(read(text, bytes)).toEqual({
    events: [{ event: 'delta', id: '1000001', data: '{"text":\n"👩‍🔬é"}' }],
    retryMs: 2_000,
  });
});

test('a line of megabytes in small pieces is not looked through again with each', () => {
  const parser = eventParser();
  const piece = new TextEncoder().encode('x'.repeat(1_024));
  const startedMs = performance.now();
  parser.push(new TextEncoder().encode('data: '));
  for (let n = 0; n < 16_384; n += 1) parser.push(piece);
  const [event] = parser.push(new TextEncoder().encode('\n\n'));
  expect(event?.data.length).toBe(16_384 * 1_024);
  // A few hundred milliseconds; looked through each time, minutes.
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});
