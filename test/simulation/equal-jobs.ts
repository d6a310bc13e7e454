/** Which jobs of a run are equal to one another, told by their ids. */

export const OTHER_TENANT = 'other';
const EQUAL = 'eeeeeee';

/** The id of one of the jobs that may share their answers: two prompts in each of two tenants. */
export function equalId(id: string): string {
  return `${EQUAL}${id.slice(EQUAL.length)}`;
}

/** What the job is asked, if it may share its answer. */
export function equalOf(id: string): string | undefined {
  return id.startsWith(EQUAL) ? `equal-${Number.parseInt(id.charAt(EQUAL.length), 16) % 2}` : undefined;
}

/** Jobs that may share their answers are of two tenants, all others of one. */
export function tenantOf(id: string): string {
  return equalOf(id) !== undefined && Number.parseInt(id.charAt(EQUAL.length), 16) >= 8 ? OTHER_TENANT : 'default';
}
