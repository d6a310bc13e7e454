/**
 * The regular expressions of users' schemas, in linear time: `re2js`, for JavaScript's own engine tries exponentially many
 * ways on `^(a+)+$`. What RE2 leaves out for that (look-around, back-references) is not checked.
 * @see https://github.com/google/re2/wiki/Syntax
 */
import type { RE2JS } from 're2js';

/** A pattern that can be checked, one that JavaScript alone can, and none at all. */
export type CompiledPattern = { matches(text: string): boolean; size: number } | 'unchecked' | { invalid: string };

/** zod's longest, of a range of IPv6 addresses, has 414 characters. */
export const PATTERN_LENGTH_MOST = 1_000;
/** RE2 writes repetitions out: one pattern of 1,000 characters became a program of 400,000 steps, in 0.7 s. */
const REPEATS_MOST = 2_000;
/** The largest program of one pattern: a text of 256 KiB took a program of half that 0.5 s. */
export const PATTERN_SIZE_MOST = 10_000;

/** Compiles patterns; loads the engine on first use. */
export async function patternCompiler(): Promise<(pattern: string) => CompiledPattern> {
  const { RE2JS: engine } = await import('re2js');
  return (pattern) => compile(engine, pattern);
}

function compile(engine: typeof RE2JS, pattern: string): CompiledPattern {
  if (pattern.length > PATTERN_LENGTH_MOST) {
    return { invalid: `must be a regular expression of at most ${PATTERN_LENGTH_MOST} characters` };
  }
  const repeats = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, least, most]) => Number(most || least));
  if (repeats.reduce((sum, count) => sum + count, 0) > REPEATS_MOST) return tooLarge();
  try {
    const compiled = engine.compile(engine.translateRegExp(pattern));
    const size = compiled.programSize();
    return size > PATTERN_SIZE_MOST ? tooLarge() : { matches: (text) => compiled.test(text), size };
  } catch {
    return isJavaScript(pattern) ? 'unchecked' : { invalid: 'must be a regular expression' };
  }
}

function tooLarge(): CompiledPattern {
  return { invalid: 'must be a smaller regular expression: it repeats too much' };
}

/** JSON Schema recommends the `u` flag, which refuses `\-`; many who write schemas do not know of it. */
function isJavaScript(pattern: string): boolean {
  return ['u', ''].some((flags) => {
    try {
      return Boolean(new RegExp(pattern, flags));
    } catch {
      return false;
    }
  });
}
