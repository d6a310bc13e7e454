/** What of the text that the Responses API repeats reaches the SDK. */
import { expect, test } from 'vitest';
import { withoutRepeatedText } from '../../shared/llm/providers/repeated-text.ts';

const KEPT_BYTES = 64 * 1_024;
const DELTA = 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"a"}\n\n';
const CREATED = 'event: response.created\ndata: {"type":"response.created"}\n\n';

/** What comes through of a body that arrives in pieces of this size. */
function through(body: string, pieceBytes = 10_007): string {
  const bytes = Buffer.from(body);
  const passed: Uint8Array[] = [];
  const take = withoutRepeatedText((piece, pass) => pass(piece));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    take(bytes.subarray(at, at + pieceBytes), (piece) => passed.push(piece));
  }
  return Buffer.concat(passed).toString();
}

const event = (data: unknown) => `event: response.completed\ndata: ${JSON.stringify(data)}\n\n`;
/** The document of the last event. */
const last = (stream: string) => JSON.parse(stream.trimEnd().split('\ndata: ').at(-1) ?? '');
const long = 'x'.repeat(3 * KEPT_BYTES);

test('a long text that was streamed is cut, and what stands around it is whole', () => {
  const data = (text: string) => ({ response: { output: [{ content: [{ text, n: 1 }] }], usage: { text: 'short' } } });
  for (const pieceBytes of [997, 10_007, 10_000_000]) {
    const stream = through(CREATED + DELTA + event(data(long)), pieceBytes);
    expect(stream.startsWith(CREATED + DELTA)).toBe(true);
    expect(last(stream)).toEqual(data('x'.repeat(KEPT_BYTES)));
  }
});

test('an escape is cut nowhere', () => {
  for (const before of ['', 'a', 'ab', 'abc', 'abcd', 'abcde']) {
    for (const [character, bytes] of [
      ['"', 2],
      ['\\', 2],
      ['\u0001', 6],
    ] as const) {
      const text = before + character.repeat(KEPT_BYTES);
      const kept = Math.ceil((KEPT_BYTES - before.length) / bytes);
      const { text: passed, after } = last(through(CREATED + DELTA + event({ text, after: 1 })));
      expect(after).toBe(1);
      expect(passed === text.slice(0, before.length + kept)).toBe(true);
    }
  }
});

test('a character may be cut, and the rest can be read', () => {
  const { after } = last(through(CREATED + DELTA + event({ text: `a${'é'.repeat(KEPT_BYTES)}`, after: 1 })));
  expect(after).toBe(1);
});

test.each([
  ['a text that was not streamed', CREATED, { text: long }],
  ['a text that says what an event is called', `${CREATED}data: "${DELTA.split('\n')[0]}"\n\n`, { text: long }],
  ['arguments of a call', CREATED + DELTA, { arguments: long, name: 'text' }],
  ['a name, and a list, of text', CREATED + DELTA, { [long]: 'text', text: [long], of: 'text', and: long }],
  ['what was found in files', CREATED + DELTA, { results: [{ text: long }], text: long }],
])('%s comes through whole', async (_, before, data) => {
  const stream = before + event(data);
  expect(through(stream) === stream).toBe(true);
});

test('what was found in one event does not keep the text of the next', () => {
  const found = event({ results: [{ text: long }] });
  const stream = through(CREATED + DELTA + found + event({ text: long }));
  expect(stream.includes(found)).toBe(true);
  expect(last(stream)).toEqual({ text: 'x'.repeat(KEPT_BYTES) });
});
