/** Names of a text that is served as it is, and whether a client has it. */
import { createHash } from 'node:crypto';
import type { Context } from 'hono';

/** `"…"`, by what the text says. */
export function tagOfText(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
}

/** Does the client have the text of this tag, weak or not (`If-None-Match`)? */
export function isSeen(context: Context, tag: string): boolean {
  const seen = context.req.header('if-none-match') ?? '';
  return seen.trim() === '*' || seen.includes(tag.replace(/^W\//, ''));
}
