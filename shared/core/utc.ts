/** Instants as text, in UTC. */

/** `2025-01-18`. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** To the second, as most contracts write times: `2025-01-18T10:15:30Z`. */
export function toTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
