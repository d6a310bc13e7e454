/** zod's issues as our field errors: where, and what would be right. */
import type { z } from 'zod';
import type { FieldError } from '../core/errors.ts';
import type { Json } from '../core/job.ts';

/** One field error per issue; an unknown field is named by its own path. */
export function toFieldErrors(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: issue.message }));
    }
    return [{ path: pathOf(issue.path), message: sentenceOf(issue) }];
  });
}

const LEVELS_MOST = 50;

/** What in a JSON value could not be stored or sent on: text that is not well-formed Unicode, or endless nesting. */
export function findUnstorable(value: Json, path: PropertyKey[] = []): FieldError | undefined {
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
    const found = findUnstorable(item, [...path, key]);
    if (found) return found;
  }
  return undefined;
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    const expected = `${/^[aeiou]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
    return issue.message.endsWith('received undefined') ? `is required, ${expected}` : `must be ${expected}`;
  }
  if (issue.code === 'invalid_value') return `must be one of: ${issue.values.join(', ')}`;
  return issue.message;
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}
