/** HTTP's way to ask for patience. */

/**
 * How long an answer asks to be left alone: `Retry-After`, in seconds or as a date. A date is counted from the answer's
 * own `Date`, for our clock may be wrong. What cannot be read is no request to wait.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function askedPauseMs(
  header: string | null | undefined,
  date: string | null | undefined,
  nowMs: number,
): number | undefined {
  const askedMs = secondsOrDate(header?.trim() ?? '', date, nowMs);
  return Number.isFinite(askedMs) ? Math.max(0, askedMs) : undefined;
}

function secondsOrDate(text: string, date: string | null | undefined, nowMs: number): number {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const answeredMs = Date.parse(date ?? '');
  return Date.parse(text) - (Number.isNaN(answeredMs) ? nowMs : answeredMs);
}
