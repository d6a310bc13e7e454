/** Building blocks of job types' input schemas. */

export { fields, text } from '../llm/fields.ts';

/** An optional system message, then what the user says. */
export function conversation(systemMessage: string | undefined, userMessage: string) {
  const user = { role: 'user' as const, content: userMessage };
  return systemMessage === undefined ? [user] : [{ role: 'system' as const, content: systemMessage }, user];
}
