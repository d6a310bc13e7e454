/** Is this an answer over HTTP, of whichever `fetch`? `instanceof` does not say: servers like hono's replace the global class. */
export function isHttpResponse(answer: unknown): answer is Response {
  if (typeof answer !== 'object' || answer === null || !('headers' in answer) || !('json' in answer)) return false;
  const { headers, json } = answer;
  const hasHeaders = typeof headers === 'object' && headers !== null && 'get' in headers;
  return hasHeaders && typeof json === 'function';
}
