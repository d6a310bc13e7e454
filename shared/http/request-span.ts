/** A span around each request, of its caller's trace. */
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Tracing } from '../core/tracing.ts';
import type { HttpEnv } from './env.ts';

/** Its name and attributes hold the route, never the address: that may hold a token. */
export function spanOfRequest(tracing: Tracing): MiddlewareHandler<HttpEnv> {
  return (context, next) => {
    const { method } = context.req;
    const parent = context.req.header('traceparent') ?? cloudTrace(context.req.header('x-cloud-trace-context'));
    const facts = { request_id: context.get('requestId') };
    const attributes = { 'http.request.method': method };
    return tracing.span(method, { kind: 'server', parent, facts, attributes }, async (span) => {
      await next();
      const { status } = context.res;
      span.set({ 'http.response.status_code': status, 'http.route': routePath(context, -1) });
      if (status >= 500) span.fail(String(status));
    });
  };
}

/** Google's older header, `TRACE/SPAN;o=1` with a decimal span, as a `traceparent`. */
export function cloudTrace(header = ''): string | undefined {
  const [, trace, span, isSampled] = /^([\da-f]{32})\/(\d{1,20})(?:;o=([01]))?$/i.exec(header) ?? [];
  if (trace === undefined || span === undefined) return undefined;
  const id = BigInt.asUintN(64, BigInt(span)).toString(16).padStart(16, '0');
  return `00-${trace.toLowerCase()}-${id}-0${isSampled ?? 0}`;
}
