/** A JSON Schema in the words of a vendor's structured output. Pure. */
import type { JsonObject } from '../../core/llm.ts';

/** The schema as OpenAI takes it. */
export function toOpenaiFormat(schema: JsonObject): { schema: JsonObject; strict: boolean } {
  return { schema, strict: false };
}

/** The schema as Gemini's `responseJsonSchema` takes it. */
export function toGeminiSchema(schema: JsonObject): JsonObject {
  return schema;
}
