/** What requests are, so that each kind can have a deployment of its own: streams stay open for minutes. */
export type RequestKind = 'reads' | 'writes' | 'streams';

export const EVERYTHING: readonly RequestKind[] = ['reads', 'writes', 'streams'];

/** The kind of a request, by its method and path. */
export function kindOf(method: string, path: string): RequestKind {
  if (method !== 'GET' && method !== 'HEAD') return 'writes';
  return /\/stream\/?$/.test(path) ? 'streams' : 'reads';
}
