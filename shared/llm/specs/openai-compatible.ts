/** The models of an OpenAI-compatible server, which only its operator knows: named by a setting. */
import { createHash } from 'node:crypto';
import type { ModelSpec } from './spec.ts';

/** One spec per name; the id is a UUID (version 8) derived from the name, so that it is the same in every process. */
export function openaiCompatibleSpecs(names: readonly string[]): ModelSpec[] {
  return names.map((model) => ({
    id: uuidOf(`openai-compatible/${model}`),
    name: model,
    provider: 'openai-compatible',
    model,
  }));
}

/** @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8 */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
