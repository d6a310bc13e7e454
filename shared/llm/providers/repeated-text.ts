/**
 * The last events of OpenAI's Responses API repeat the whole text, four times, each in one line. The SDK joins, copies and
 * parses each of them at once: 8 MB stopped the process for 0.2 s and took 240 MB. What was streamed is not read again.
 */

/** A text up to this size is passed on as it is. */
const KEPT_BYTES = 64 * 1_024;
/** From then on nobody reads the text in other events. JSON holds no line end, so this is no part of an answer. */
const DELTA = Buffer.from('\nevent: response.output_text.delta\n');
/** Of what was found in files, which is not streamed, the text is passed on whole. */
const [TEXT, FOUND] = ['text', 'results'];

const [QUOTE, BACKSLASH, COLON, NEWLINE, U] = [0x22, 0x5c, 0x3a, 0x0a, 0x75];
const [COMMA, OPENS_LIST, OPENS_OBJECT] = [0x2c, 0x5b, 0x7b];

/** Where a piece of a body goes on to. */
export type Pass = (piece: Uint8Array) => void;
/** Takes the next piece of a body, and passes on what may go. */
export type Take = (chunk: Uint8Array, pass: Pass) => void;

/** Hands a stream of events on, but for the rest of long `text`s in events after the first delta of text. */
export function withoutRepeatedText(take: Take): Take {
  let hasText = false;
  let isInLine = false;
  const { isRepeated, mayLeaveOutAll } = repeatedBytes();

  function afterText(chunk: Uint8Array, pass: Pass): void {
    const nextMark = marksIn(chunk);
    let start = 0;
    let isLeftOut = false;
    const lookAt = (from: number, end: number) => {
      for (let at = from; at < end; at++) {
        if (isLeftOut && mayLeaveOutAll()) {
          at = nextMark(at);
          if (at >= end) return;
        }
        if (isRepeated(chunk[at] ?? 0) === isLeftOut) continue;
        if (!isLeftOut) take(chunk.subarray(start, at), pass);
        start = at;
        isLeftOut = !isLeftOut;
      }
    };
    const lastLine = chunk.lastIndexOf(NEWLINE) + 1;
    // Lines that begin and end within so few bytes hold no long text, and most do.
    if (chunk.length > KEPT_BYTES) lookAt(0, lastLine);
    else if (isInLine && lastLine > 0) lookAt(0, chunk.indexOf(NEWLINE) + 1);
    lookAt(lastLine, chunk.length);
    isInLine = lastLine < chunk.length || (isInLine && lastLine === 0);
    if (!isLeftOut && start < chunk.length) take(chunk.subarray(start), pass);
  }

  return (chunk, pass) => {
    if (hasText) return afterText(chunk, pass);
    const at = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).indexOf(DELTA);
    hasText = at >= 0;
    if (!hasText) return take(chunk, pass);
    const end = at + DELTA.byteLength;
    take(chunk.subarray(0, end), pass);
    if (end < chunk.length) afterText(chunk.subarray(end), pass);
  };
}

/** From a byte on, where the next one is that may end a string, or a line; what is native takes a tenth of a loop's time. */
function marksIn(chunk: Uint8Array): (from: number) => number {
  const find = (mark: number, from: number) => {
    const found = chunk.indexOf(mark, from);
    return found < 0 ? chunk.length : found;
  };
  let [quote, backslash, newline] = [-1, -1, -1];
  return (from) => {
    if (quote < from) quote = find(QUOTE, from);
    if (backslash < from) backslash = find(BACKSLASH, from);
    if (newline < from) newline = find(NEWLINE, from);
    return Math.min(quote, backslash, newline);
  };
}

type Repeated = {
  /** Is this byte, the next of a stream that stands at the beginning of a line, in a text beyond what is passed on? */
  isRepeated(byte: number): boolean;
  /** Is the next one, too, whatever it is but a mark? */
  mayLeaveOutAll(): boolean;
};

function repeatedBytes(): Repeated {
  let isInString = false;
  let stringBytes = 0;
  /** How many bytes of an escape are still to come. */
  let escapeBytes = 0;
  /** How the string begins, or the last one began. */
  let name = '';
  /** Is what comes, or the string that is read, the value of `text`? */
  let isText = false;
  let isOfFound = false;
  let isOut = false;

  function isOutInString(byte: number): boolean {
    stringBytes += 1;
    // An escape is passed on whole, or left out whole.
    if (escapeBytes > 0) escapeBytes = byte === U ? 4 : escapeBytes - 1;
    else if (byte === QUOTE) [isInString, isOut] = [false, false];
    else {
      isOut = isText && !isOfFound && stringBytes > KEPT_BYTES;
      if (byte === BACKSLASH) escapeBytes = 1;
    }
    if (isInString && stringBytes <= FOUND.length + 1) name += String.fromCharCode(byte);
    return isOut;
  }

  const isRepeated = (byte: number) => {
    if (byte === NEWLINE)
      [isInString, escapeBytes, name, isText, isOfFound, isOut] = [false, 0, '', false, false, false];
    else if (isInString) return isOutInString(byte);
    else if (byte === QUOTE) [isInString, stringBytes, name] = [true, 0, ''];
    else if (byte === COLON) {
      isText = name === TEXT;
      isOfFound ||= name === FOUND;
    } else if (byte === COMMA || byte === OPENS_LIST || byte === OPENS_OBJECT) isText = false;
    return false;
  };

  return { isRepeated, mayLeaveOutAll: () => isOut && escapeBytes === 0 };
}
