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

/** Passes on a stream of events, but for the rest of long `text`s in events after the first delta of text. */
export function withoutRepeatedText(): TransformStream<Uint8Array, Uint8Array> {
  let hasText = false;
  const isRepeated = repeatedBytes();
  return new TransformStream({
    transform(chunk, controller) {
      if (!hasText) {
        const at = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).indexOf(DELTA);
        hasText = at >= 0;
        const end = hasText ? at + DELTA.byteLength : chunk.byteLength;
        if (end > 0) controller.enqueue(chunk.subarray(0, end));
        chunk = chunk.subarray(end);
      }
      let start = 0;
      let isLeftOut = false;
      for (let at = 0; at < chunk.length; at++) {
        if (isRepeated(chunk[at] ?? 0) === isLeftOut) continue;
        if (!isLeftOut) controller.enqueue(chunk.subarray(start, at));
        start = at;
        isLeftOut = !isLeftOut;
      }
      if (!isLeftOut && start < chunk.length) controller.enqueue(chunk.subarray(start));
    },
  });
}

/** Is this byte, the next of a stream that stands at the beginning of a line, in a text beyond what is passed on? */
function repeatedBytes(): (byte: number) => boolean {
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

  return (byte) => {
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
}
