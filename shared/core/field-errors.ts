/** zod's issues as our field errors: where, and what would be right. */
import type { FieldError } from './errors.ts';
import type { Json } from './job.ts';

/** An issue as zod makes them, as far as it is read here. */
export type Issue = {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
  readonly issues?: readonly { readonly message: string }[];
  readonly expected?: string;
  readonly origin?: string;
  readonly maximum?: number | bigint;
  readonly values?: readonly unknown[];
  /** Of a union: what each of its branches has against the value. */
  readonly errors?: readonly (readonly Issue[])[];
};

/** A body may be wrong in more places than anybody wants to read. */
const DETAILS_MOST = 20;

/** One field error per issue, the first ones; an unknown field is named by its own path. */
export function toFieldErrors(issues: readonly Issue[]): FieldError[] {
  const errors = issues
    .slice(0, DETAILS_MOST)
    .flatMap(withoutUnions)
    .flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys') return [{ path: pathOf(issue.path), message: sentenceOf(issue) }];
      const keys = (issue.keys ?? []).slice(0, DETAILS_MOST);
      return keys.map((key) => ({ path: pathOf([...issue.path, key]), message: issue.message }));
    });
  return errors.slice(0, DETAILS_MOST);
}

/** In place of a union that says nothing: what the branch of the value's kind has against it, or which kinds there are. */
function withoutUnions(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || !ZODS_OWN.test(issue.message) || !issue.errors?.length) return [issue];
  const isOfOtherKind = ({ code, path }: Issue) => code === 'invalid_type' && path.length === 0;
  const fitting = issue.errors.find((branch) => !branch.some(isOfOtherKind));
  if (fitting) return fitting.flatMap((each) => withoutUnions({ ...each, path: [...issue.path, ...each.path] }));
  const kinds = issue.errors.map((branch) => kindOf(branch.find(isOfOtherKind)?.expected));
  return [{ ...issue, message: `must be ${kinds.join(' or ')}` }];
}

function kindOf(expected = 'value'): string {
  const type = expected === 'record' ? 'object' : expected;
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

const LEVELS_MOST = 50;
/** The largest input has about as many lines of a notebook; validating millions of values takes the stack and the answer. */
export const VALUES_MOST = 30_000;
/** How many more values may be looked at. */
export type ValueBudget = { left: number };

const tooManyValues = (most: number): FieldError => ({ path: '', message: `the body holds more than ${most} values` });

/**
 * Does a JSON text hold far more values than may be looked at? To parse millions of them takes seconds in one piece, to
 * look for them in 10 MB of text a twentieth of one. What is refused here `findUnstorable` would refuse, too: no value has
 * more than one bracket that opens it and one character that parts it from the value before.
 */
export function findTooMany(json: string, valuesMost = VALUES_MOST): FieldError | undefined {
  let left = 2 * valuesMost;
  let isInString = false;
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index);
    if (code === QUOTE) isInString = !isInString;
    else if (isInString) index += code === BACKSLASH ? 1 : 0;
    else if ((code === COMMA || code === BRACKET || code === BRACE) && --left < 0) return tooManyValues(valuesMost);
  }
  return undefined;
}

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];

/** What in a JSON value could not be stored or sent on: text that is not well-formed Unicode, or nesting or parts without end. */
export function findUnstorable(root: Json, budget: ValueBudget = { left: VALUES_MOST }): FieldError | undefined {
  const valuesMost = budget.left;
  return find(root, []);

  function find(value: Json, path: PropertyKey[]): FieldError | undefined {
    if (--budget.left < 0) return tooManyValues(valuesMost);
    if (typeof value === 'string' && !value.isWellFormed()) {
      return { path: pathOf(path), message: 'holds a lone surrogate; it must be valid Unicode' };
    }
    if (value === null || typeof value !== 'object') return undefined;
    if (path.length >= LEVELS_MOST) {
      return { path: pathOf(path.slice(0, 3)), message: `is nested more than ${LEVELS_MOST} levels deep` };
    }
    for (const [key, item] of Object.entries(value)) {
      if (!key.isWellFormed()) {
        return { path: pathOf(path), message: "has a field's name with a lone surrogate; it must be valid Unicode" };
      }
      const found = find(item, [...path, key]);
      if (found) return found;
    }
    return undefined;
  }
}

/** How zod's own sentences begin; one that a schema brings says more than ours could. */
const ZODS_OWN = /^(Invalid (input|option)|Too (big|small))\b/;

function sentenceOf(issue: Issue): string {
  if (issue.code === 'invalid_key') return `its name ${issue.issues?.[0]?.message ?? 'is not allowed'}`;
  if (!ZODS_OWN.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') {
    const expected = kindOf(issue.expected);
    return issue.message.endsWith('received undefined') ? `is required, ${expected}` : `must be ${expected}`;
  }
  if (issue.code === 'too_big' && issue.origin === 'string') return `must have at most ${issue.maximum} characters`;
  if (issue.code === 'invalid_value') return `must be one of: ${issue.values?.join(', ')}`;
  return issue.message;
}

/** A field's name may be as long as the body. */
const PATH_MOST = 200;

function pathOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (part === '' ? '""' : String(part))).join('.');
  return text.length <= PATH_MOST ? text : `${text.slice(0, PATH_MOST).toWellFormed()}…`;
}
