/**
 * Does a repaired text say the same as the text it was made of? What may differ is how it is written: quotes, commas,
 * comments, Python's words. A value that is missing, half a number, an ellipsis, or a quote within a text would be guessed.
 */

const WORDS: Readonly<Record<string, string>> = { True: 'true', False: 'false', None: 'null' };

/** Are all values, names and brackets of both texts the same, in the same order? */
export function saysTheSame(original: string, repaired: string): boolean {
  const left = tokensOf(original);
  const right = tokensOf(repaired);
  return (
    left !== undefined &&
    right !== undefined &&
    left.length === right.length &&
    left.every((token, n) => token === right[n])
  );
}

/** Strings are marked, so that `"1"` is not `1`; a name may be written without quotes. `undefined` for what has no end. */
function tokensOf(text: string): string[] | undefined {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    const char = text[at] ?? '';
    if (/[\s,]/.test(char)) at++;
    else if (text.startsWith('//', at)) at = endOf(text, '\n', at);
    else if (text.startsWith('/*', at)) at = endOf(text, '*/', at);
    else if (/[{}[\]:]/.test(char)) {
      tokens.push(char);
      at++;
    } else if (char === '"' || char === "'") {
      const end = closing(text, at);
      const content = end === undefined ? undefined : contentOf(text.slice(at + 1, end), char);
      if (end === undefined || content === undefined) return undefined;
      tokens.push(`"${content}`);
      at = end + 1;
    } else {
      const start = at;
      while (at < text.length && !/[\s,{}[\]:"']/.test(text[at] ?? '')) at++;
      const word = text.slice(start, at);
      tokens.push(WORDS[word] ?? word);
    }
  }
  return tokens.map((token, n) => (tokens[n + 1] === ':' && !/^[{}[\]:"]/.test(token) ? `"${token}` : token));
}

function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from + 2);
  return found < 0 ? text.length : found + mark.length;
}

function closing(text: string, from: number): number | undefined {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === text[from]) return at;
  }
  return undefined;
}

const CONTROLS: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** What a string means; one in single quotes, or with bare line ends, is none in JSON. */
function contentOf(raw: string, quote: string): string | undefined {
  const inDouble =
    quote === "'" ? raw.replaceAll("\\'", "'").replaceAll(/\\.|"/g, (found) => (found === '"' ? '\\"' : found)) : raw;
  try {
    return JSON.parse(`"${inDouble.replaceAll(/[\n\r\t]/g, (found) => CONTROLS[found] ?? found)}"`) as string;
  } catch {
    return undefined;
  }
}
