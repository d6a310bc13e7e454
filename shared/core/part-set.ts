/** How a job's document says what lies beside it, in parts. */

/**
 * Where a value lies that is too large for its job's document: its JSON text is the parts 1, 2, 3… of this set, in a row.
 * `sha256`: of each part, as hexadecimal digits.
 */
export type PartSet = { name: string; bytes: number; sha256: string[] };

/** The fields of a job that may lie in parts; then the field itself is absent. */
export type InParts = 'input' | 'result' | 'rejectedText';
