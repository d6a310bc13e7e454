/** Building blocks of job types' input schemas. */

import type { z } from 'zod';

export { fields, text } from '../llm/fields.ts';

const LOST_NAME = '__proto__';

/** zod drops this name without a word, and what was accepted must be kept. */
export function refuseLostName(pairs: unknown, context: z.core.$RefinementCtx): unknown {
  if (typeof pairs === 'object' && pairs !== null && Object.hasOwn(pairs, LOST_NAME)) {
    context.addIssue({ code: 'custom', path: [LOST_NAME], message: 'is a name that cannot be kept; use another one' });
  }
  return pairs;
}

/** An optional system message, then what the user says. */
export function conversation(systemMessage: string | undefined, userMessage: string) {
  const user = { role: 'user' as const, content: userMessage };
  return systemMessage === undefined ? [user] : [{ role: 'system' as const, content: systemMessage }, user];
}
