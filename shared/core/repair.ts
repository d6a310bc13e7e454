/** Sending an answer that could not be used back to the model, to be mended. Pure. */
import type { LlmRequest } from './llm.ts';

/** An answer that its job type refused, to the request that it was given. */
export type Rejected = { request: LlmRequest; text: string; violation: string };

/** To send back what is longer would cost more than to ask anew. */
const MENDED_CHARACTERS_MOST = 256 * 1024;

/** Is the answer worth mending? */
export function isMendable({ text }: { text: string }): boolean {
  return text.length <= MENDED_CHARACTERS_MOST;
}

/** The request that asks for the answer again: what was said, and what is wrong with it. */
export function repairRequest({ request, text, violation }: Rejected): LlmRequest {
  const asked = `That answer cannot be used: ${violation}. Answer again, whole and mended, with nothing but the answer.`;
  return {
    ...request,
    messages: [...request.messages, { role: 'assistant', content: text }, { role: 'user', content: asked }],
  };
}
