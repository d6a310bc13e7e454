/**
 * Which endpoint a body belongs to that was sent to another contract's: whoever mixes the documents up is told where to
 * go. The one thing that all surfaces know of each other.
 */

/** A body is of a contract when it has `all` of some fields, or `any` of them; any of them makes it the owner's own. */
type Contract = { surface: string; endpoint: string; fields: readonly string[]; needs: 'all' | 'any' };

/** The first that matches says it. */
const CONTRACTS: readonly Contract[] = [
  {
    surface: 'llm-jobs',
    endpoint: 'POST /api/llm/jobs/submit/',
    fields: ['job_type', 'input_data', 'model_id'],
    needs: 'any',
  },
  { surface: 'structured-extraction', endpoint: 'POST /llm/submit', fields: ['text'], needs: 'any' },
  {
    surface: 'prompt-generation',
    endpoint: 'POST /api/v1/web-knowledge/generate-prompt-async/',
    fields: ['manual_prompt'],
    needs: 'any',
  },
  // One of these alone is a word that anybody might use.
  { surface: 'streaming-jobs', endpoint: 'POST /jobs', fields: ['prompt', 'provider', 'model'], needs: 'all' },
];

/**
 * What to say, beside what is wrong, of a body that the surface `own` refused and that is another contract's: a sentence
 * as field errors have them. `undefined` for one that has a field of the surface's own contract, or of none.
 */
export function otherContract(body: unknown, own: string): string | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const has = (name: string) => Object.hasOwn(body, name);
  const owner = CONTRACTS.find(({ surface }) => surface === own);
  if (owner?.fields.some(has)) return undefined;
  const other = CONTRACTS.find(({ fields, needs }) => (needs === 'all' ? fields.every(has) : fields.some(has)));
  if (!other) return undefined;
  const names = other.fields.filter(has).map((name) => `\`${name}\``);
  return `a body with ${listOf(names)} belongs to ${other.endpoint}`;
}

function listOf(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
