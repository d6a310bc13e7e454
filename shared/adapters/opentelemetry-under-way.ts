/** The span under way, for those who log before anything of OpenTelemetry is loaded. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Context, SpanContext } from '@opentelemetry/api';
import type { LogContext, SpanFacts } from '../core/tracing.ts';

/** Without an SDK the API carries no context through asynchronous calls. One for the process, as the API itself is. */
export const underWay = new AsyncLocalStorage<{ context: Context; spanContext: SpanContext; facts: SpanFacts }>();

/** Of the span under way in this chain of calls. */
export function logContext(): LogContext | undefined {
  const now = underWay.getStore();
  if (!now) return undefined;
  const { traceId, spanId, traceFlags } = now.spanContext;
  return { traceId, spanId, isSampled: isSampled(traceFlags), facts: now.facts };
}

/** Does its caller have it recorded? */
export function isSampled(traceFlags: number): boolean {
  return (traceFlags & 1) !== 0;
}
