/** Ids of function calls, where a vendor gave none: the same each time, and of one call in a conversation. Pure. */
import type { LlmRequest } from '../../core/llm.ts';

const OURS = 'unnamed-call-';

/** Makes up ids for the calls of an answer, in their order; the conversation before it has calls of its own. */
export function callIds({ messages }: LlmRequest): () => string {
  const before = messages.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []));
  let count = before.length;
  return () => {
    count += 1;
    return `${OURS}${count}`;
  };
}

/** Is it an id that a vendor never saw? */
export function isOurCallId(id: string): boolean {
  return id.startsWith(OURS);
}
