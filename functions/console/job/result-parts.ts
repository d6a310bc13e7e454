/** How a result is shown: text as text, all else as JSON. */

export type ResultParts = {
  text: string;
  /** What there is beside it: warnings, calls of tools… */
  more?: string;
};

/** Of `result_data`. */
export function resultParts(data: unknown): ResultParts {
  if (typeof data !== 'object' || data === null || !('result' in data)) return { text: asText(data) };
  const { result, success: _success, ...more } = data as { result: unknown; success?: true };
  return { text: asText(result), ...(Object.keys(more).length > 0 && { more: asText(more) }) };
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '');
}

/** `900 B`, `12 KB`, `3.4 MB`. */
export function bytesOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} KB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
