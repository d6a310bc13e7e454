/** Ids of jobs, made before anything is sent: whoever keeps one finds the job again, and may submit it again. */

/** A new id: a UUID of version 4. */
export function newJobId(): string {
  // Missing on pages that are not served over https (or from localhost).
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Is it an id that a job may be submitted under: a UUID of version 4 or 7? */
export function isClientJobId(id: unknown): id is string {
  return typeof id === 'string' && /^[\da-f]{8}-[\da-f]{4}-[47][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i.test(id);
}

/** Is it an id that a job may have? */
export function isJobId(id: unknown): id is string {
  return typeof id === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id);
}
