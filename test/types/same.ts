/** Claims about types: a file that makes a wrong one does not compile. */
import type { JsonObject } from '../../shared/core/llm.ts';

/** `true`, or the fields that only one of the two has (none: a field's own type differs). */
export type Same<Left, Right> =
  (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2
    ? true
    : { onlyLeft: Exclude<keyof Left, keyof Right>; onlyRight: Exclude<keyof Right, keyof Left> };

export type Assignable<From, To> = [From] extends [To] ? true : false;

/** Is it `any`? */
type IsAny<T> = 0 extends 1 & T ? true : false;

/**
 * The same type, told one way: intersections are one object, an optional field is not also `undefined`, and a JSON object
 * holds anything, as whoever made it with another package has it.
 */
export type Plain<T> =
  IsAny<T> extends true
    ? 'any'
    : T extends readonly (infer Item)[]
      ? Plain<Item>[]
      : T extends object
        ? Same<T, JsonObject> extends true
          ? Record<string, unknown>
          : { [field in keyof T]: Plain<Exclude<T[field], undefined>> }
        : T;

/** The fields of all branches as one object, each optional: what a schema says that checks the branches afterwards. */
export type Merged<T> = Partial<{ [field in Extract<keyof T, string>]: Exclude<T[field], undefined> }>;

/** Compiles for a claim that is true. */
export function holds<_Claim extends true>(): void {}
