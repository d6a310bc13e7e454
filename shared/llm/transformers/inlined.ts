/** What a request holds as text and a vendor wants apart: images in `data:` URLs, arguments in JSON. Pure. */
import type { JsonObject } from '../../core/llm.ts';

/** The image in a `data:` URL with base64. Not by one regular expression over it all: an image may have megabytes. */
export function inlined(url: string): { mimeType: string; data: string } | undefined {
  const comma = url.indexOf(',');
  const [, mimeType] = /^data:([\w.+-]+\/[\w.+-]+)(?:;[^,]*)?;base64$/i.exec(url.slice(0, Math.max(0, comma))) ?? [];
  return mimeType === undefined ? undefined : { mimeType, data: url.slice(comma + 1) };
}

/** The JSON object that a text holds, if it is one. */
export function objectIn(json: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
