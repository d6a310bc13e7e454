/**
 * From a model's text to a value that was checked. What is mended is syntax, in answers that are complete; a value that
 * nobody wrote is never made up.
 */
import { ServiceError } from '../../core/errors.ts';
import { findTooMany } from '../../core/field-errors.ts';
import type { Json } from '../../core/job.ts';
import type { Answer } from '../../core/llm.ts';
import { saysTheSame } from './same-tokens.ts';
import type { Validate } from './validator.ts';

/** `wasRepaired`: the text was no JSON as it came, which its reader should be told. */
export type StructuredAnswer = { value: Json; wasRepaired?: true } | { violation: string };

const NOT_JSON = 'the answer is not JSON';
const CUT = 'the answer ends in the middle of its JSON';
const FORBIDDEN_NAME = '__proto__';
const DIGITS_SHOWN_MOST = 30;
/** Twice as many held the process for two seconds. */
const VALUES_MOST = 1_000_000;
/** What is larger is looked at in turns with other work, and its syntax is not mended: that took four seconds of 8 MB. */
const LARGE_CHARACTERS = 256 * 1024;
const TOO_LARGE = `${NOT_JSON}, and longer than the ${LARGE_CHARACTERS} characters that are mended`;

/**
 * Parses an answer, mends its syntax where that is safe, and checks it. Of names that come twice the last one counts, as
 * everywhere; `__proto__` is left out; a number that JavaScript cannot hold is a violation. Throws `answer_truncated` for
 * an answer that ended at the output limit, whatever its text looks like.
 */
export async function parseStructured(
  { text, finishReason }: Pick<Answer, 'text' | 'finishReason'>,
  validate: Validate,
): Promise<StructuredAnswer> {
  if (finishReason === 'length') {
    const sentence = 'The model reached its output limit before its JSON was complete; allow more output (max_tokens).';
    throw new ServiceError('answer_truncated', sentence);
  }
  const isLarge = text.length > LARGE_CHARACTERS;
  if (isLarge && findTooMany(text, VALUES_MOST))
    return { violation: `the answer holds more than ${VALUES_MOST} values` };
  const othersTurn = () => (isLarge ? new Promise((resolve) => setImmediate(resolve)) : undefined);
  let json = text;
  let parsed = parse(json);
  if (!parsed && finishReason !== 'content_filter') {
    json = withoutFence(text);
    parsed = parse(json);
    if (!parsed) {
      if (isCut(json)) return { violation: CUT };
      if (isLarge) return { violation: TOO_LARGE };
      const mended = await repaired(json);
      parsed = saysTheSame(json, mended) ? parse(mended) : undefined;
      json = mended;
    }
  }
  if (!parsed) return { violation: NOT_JSON };
  await othersTurn();
  const inexact = inexactNumber(json);
  if (inexact !== undefined) {
    return { violation: `the answer holds the number ${inexact}, which JSON readers cannot hold exactly` };
  }
  const wasChanged = dropForbidden(parsed.value) || json !== text;
  await othersTurn();
  const checked = await validate(parsed.value);
  await othersTurn();
  if ('violation' in checked) return checked;
  return { value: checked.value, ...(wasChanged ? { wasRepaired: true } : {}) };
}

function parse(text: string): { value: Json } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** What stands in the text's one code fence, where it has one. */
function withoutFence(text: string): string {
  const parts = text.split('```');
  const [, fenced] = parts;
  return parts.length === 3 && fenced !== undefined ? fenced.replace(/^\w*\s/, '') : text;
}

/**
 * Does the text end before its JSON is closed? Providers exist that report a cut answer as complete, and to close the
 * brackets of half an answer would make it look like a whole one.
 */
function isCut(text: string): boolean {
  const start = text.search(/[{[]/);
  if (start < 0) return false;
  const trimmed = text.slice(start).trim();
  let open = 0;
  let isInString = false;
  for (let index = 0; index < trimmed.length; index++) {
    const char = trimmed[index];
    if (isInString && char === '\\') index++;
    else if (char === '"') isInString = !isInString;
    else if (!isInString && (char === '{' || char === '[')) open++;
    else if (!isInString && (char === '}' || char === ']')) open--;
  }
  return open > 0 || !/[}\]]$/.test(trimmed);
}

/** The largest piece that is looked at: the package throws for more. */
const REPAIR_BUFFER = 64 * 1024;
const REPAIR_CHUNK = 4 * 1024;

/**
 * The text as JSON, or '' where that cannot be made of it. Streamed: the package's other way held the process for 12 s
 * with 200 KiB without commas, and for two minutes with 240 KiB of unescaped quotes. This one takes 0.4 s, in small steps,
 * for the first, and gives up the second, whose one text is larger than its buffer.
 */
async function repaired(text: string): Promise<string> {
  const [{ jsonrepairTransform }, { Readable }, consumers] = await Promise.all([
    import('jsonrepair/stream'),
    import('node:stream'),
    import('node:stream/consumers'),
  ]);
  const chunks = text.match(new RegExp(`[^]{1,${REPAIR_CHUNK}}`, 'gu')) ?? [];
  const mending = jsonrepairTransform({ chunkSize: REPAIR_CHUNK, bufferSize: REPAIR_BUFFER });
  try {
    return await consumers.text(Readable.from(chunks).pipe(mending));
  } catch {
    // It throws what it finds, and a RangeError for what is nested too deeply.
    return '';
  }
}

/** A number that is read as another one: an integer of too many digits, or more than the largest. */
function inexactNumber(json: string): string | undefined {
  // Any other is exact, and far more text is known to have none than can be looked at one by one.
  if (!/\d{16}|\d[eE]/.test(json)) return undefined;
  for (const [token] of json.matchAll(/"(?:[^"\\]+|\\.)*"|-?\d[\d.eE+-]*/g)) {
    if (token.startsWith('"')) continue;
    const value = Number(token);
    const isInexact =
      !Number.isFinite(value) || (/^-?\d+(\.0*)?$/.test(token) && isRounded(token.replace(/\..*/, ''), value));
    if (isInexact) return token.length > DIGITS_SHOWN_MOST ? `${token.slice(0, DIGITS_SHOWN_MOST)}…` : token;
  }
  return undefined;
}

function isRounded(digits: string, value: number): boolean {
  return !Number.isSafeInteger(value) && BigInt(digits) !== BigInt(value);
}

/** Whoever copies the value carelessly would change what all objects inherit. */
function dropForbidden(root: Json): boolean {
  let found = false;
  const rest = [root];
  for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, FORBIDDEN_NAME)) {
      delete (value as Record<string, Json>)[FORBIDDEN_NAME];
      found = true;
    }
    for (const inner of Object.values(value)) rest.push(inner);
  }
  return found;
}
