/**
 * `Tracing` through OpenTelemetry's API. Without an SDK, which this project does not bring, no span is recorded, and the
 * trace id goes on all the same: that of the caller, or a random one. Whoever registers an SDK gets real spans and metrics.
 * `tracestate` is not carried on.
 */
import { randomBytes } from 'node:crypto';
import {
  type Attributes,
  type Context,
  context,
  type Histogram,
  isSpanContextValid,
  type MeterProvider,
  metrics,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { isServiceError } from '../core/errors.ts';
import type { Metric, Span, SpanAttributes, Tracing } from '../core/tracing.ts';
import { isSampled, underWay } from './opentelemetry-under-way.ts';

const NAME = 'llm-jobs';
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER };

/** Whatever SDK is registered, whenever. */
export function opentelemetryTracing(): Tracing {
  const tracer = trace.getTracer(NAME);
  const histograms = new WeakMap<MeterProvider, Map<string, Histogram>>();

  /** An SDK may be registered after us. */
  function histogramOf({ name, unit }: Metric): Histogram {
    const provider = metrics.getMeterProvider();
    const known = histograms.get(provider) ?? new Map<string, Histogram>();
    histograms.set(provider, known);
    const histogram = known.get(name) ?? provider.getMeter(NAME).createHistogram(name, { unit });
    known.set(name, histogram);
    return histogram;
  }

  return {
    async span(name, { kind, parent, attributes, facts }, work) {
      const isFirst = kind === 'server' || kind === 'consumer';
      const around = contextOf(parent, isFirst);
      const started = tracer.startSpan(
        name,
        { kind: kind ? KINDS[kind] : SpanKind.INTERNAL, attributes: known(attributes) },
        around,
      );
      const spanContext = usable(started) ?? usable(trace.getSpan(around)) ?? minted();
      const within = trace.setSpan(around, usable(started) ? started : trace.wrapSpanContext(spanContext));
      const held = {
        context: within,
        spanContext,
        facts: isFirst ? { ...facts } : { ...underWay.getStore()?.facts, ...facts },
      };
      try {
        return await underWay.run(held, () => context.with(within, () => work(spanOf(started, spanContext))));
      } catch (error) {
        spanOf(started, spanContext).fail(isServiceError(error) ? error.code : 'internal_error');
        throw error;
      } finally {
        started.end();
      }
    },
    current() {
      const now = underWay.getStore()?.spanContext;
      return now && toTraceparent(now);
    },
    record: (metric, value, attributes) => histogramOf(metric).record(value, known(attributes)),
  };
}

function spanOf(started: OtelSpan, spanContext: SpanContext): Span {
  return {
    traceparent: toTraceparent(spanContext),
    set: (attributes) => void started.setAttributes(known(attributes)),
    fail: (code) =>
      void started.setAttribute('error.type', code).setStatus({ code: SpanStatusCode.ERROR, message: code }),
  };
}

/** Whatever is under way where a request or a message is taken in has brought something else: it is no part of that. */
function contextOf(parent: string | undefined, isFirst: boolean): Context {
  const base = isFirst ? ROOT_CONTEXT : (underWay.getStore()?.context ?? context.active());
  const remote = parent === undefined ? undefined : parseTraceparent(parent);
  if (!remote) return base;
  // The very span under way stays a local parent.
  return !isFirst && underWay.getStore()?.spanContext.spanId === remote.spanId
    ? base
    : trace.setSpanContext(base, remote);
}

function usable(span: OtelSpan | undefined): SpanContext | undefined {
  const found = span?.spanContext();
  return found && isSpanContextValid(found) ? found : undefined;
}

/** Of a trace's id and a span's, as hexadecimal digits. */
const ID_DIGITS = 48;
const DRAWN_BYTES = 64 * ID_DIGITS;
/** Drawn ahead, for 128 spans: a draw for each took a twentieth of the time of a poll. */
let drawn = '';

/** Nobody records it, so it is not sampled. */
function minted(): SpanContext {
  if (drawn === '') drawn = randomBytes(DRAWN_BYTES).toString('hex');
  const ids = drawn.slice(0, ID_DIGITS);
  drawn = drawn.slice(ID_DIGITS);
  return { traceId: ids.slice(0, 32), spanId: ids.slice(32), traceFlags: TraceFlags.NONE };
}

/** Versions that are not known yet begin like the first one. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** What a `traceparent` says; `undefined` for one that is none. */
export function parseTraceparent(traceparent: string): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = '', more] = TRACEPARENT.exec(traceparent) ?? [];
  if (more !== undefined && traceparent.startsWith('00')) return undefined;
  const found = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(found) ? found : undefined;
}

function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${isSampled(traceFlags) ? '01' : '00'}`;
}

function known(attributes: SpanAttributes = {}): Attributes {
  const found: { -readonly [name in keyof SpanAttributes]: SpanAttributes[name] } = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) found[name] = value;
  return found as Attributes;
}
