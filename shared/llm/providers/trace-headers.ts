/** The trace that a request to a provider belongs to, as options of an SDK. */
export function traceHeaders(traceparent: string | undefined): { headers?: { traceparent: string } } {
  return traceparent === undefined ? {} : { headers: { traceparent } };
}
