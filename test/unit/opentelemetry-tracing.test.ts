/** Tracing with no SDK, and with one: which trace work belongs to, and what comes out. */
import { type Attributes, metrics, SpanKind, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterEach, describe, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { logContext } from '../../shared/adapters/opentelemetry-under-way.ts';
import { ServiceError } from '../../shared/core/errors.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const tracing = opentelemetryTracing();

async function underWay(options: Parameters<typeof tracing.span>[1]) {
  return tracing.span('work', options, async (span) => ({ seen: span.traceparent, logged: logContext() }));
}

describe('without an SDK', () => {
  test('the trace of the parent goes on, also through what is awaited, and ends with the work', async () => {
    const seen = await tracing.span('outer', { parent: PARENT, facts: { request_id: 'r' } }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return underWay({ facts: { job_id: 'j' } });
    });
    expect(seen).toEqual({
      seen: PARENT,
      logged: { traceId: TRACE, spanId: 'b7ad6b7169203331', isSampled: true, facts: { request_id: 'r', job_id: 'j' } },
    });
    expect([tracing.current(), logContext()]).toEqual([undefined, undefined]);
  });

  test.each([
    ...[
      '',
      'x',
      `00-${TRACE}-b7ad6b7169203331`,
      `ff-${TRACE}-b7ad6b7169203331-01`,
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    ],
    ...[`00-${TRACE}-${'0'.repeat(16)}-01`, `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`, `${PARENT}-more`],
  ])('"%s" is no parent: a trace of its own begins', async (parent) => {
    const { seen } = await underWay({ parent });
    expect(seen).toMatch(/^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-00$/);
    expect(seen).not.toContain(TRACE);
  });

  test.each([
    ['of a later version, which may say more', `01-${TRACE}-b7ad6b7169203331-03-${'x'.repeat(10_000)}`],
    ['with flags that we do not know', `00-${TRACE}-b7ad6b7169203331-ff`],
  ])('a parent %s is carried on as one of ours', async (_, parent) => {
    expect((await underWay({ parent })).seen).toBe(PARENT);
  });

  test('what a request brings is no part of what is under way where it is taken in', async () => {
    const inner = await tracing.span('outer', { parent: PARENT, facts: { request_id: 'r' } }, () =>
      underWay({ kind: 'consumer' }),
    );
    expect(inner.seen).not.toContain(TRACE);
    expect(inner.logged?.facts).toEqual({});
  });
});

describe('with an SDK', () => {
  afterEach(() => {
    trace.disable();
    metrics.disable();
  });

  test('spans come out with their parents, kinds and failures', async () => {
    const spans = new InMemorySpanExporter();
    new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
    let inner: string | undefined;
    const failing = tracing.span('request', { kind: 'server', parent: PARENT }, () =>
      tracing.span('call', { kind: 'client', attributes: { a: 1, b: undefined } }, async (span) => {
        inner = span.traceparent;
        throw new ServiceError('rate_limited', 'a secret sentence');
      }),
    );
    await expect(failing).rejects.toThrow('a secret sentence');
    const [call, request] = spans.getFinishedSpans();
    expect([request?.kind, call?.kind]).toEqual([SpanKind.SERVER, SpanKind.CLIENT]);
    expect(request?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(call?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    expect(inner).toBe(`00-${TRACE}-${call?.spanContext().spanId}-01`);
    expect(call?.attributes).toEqual({ a: 1, 'error.type': 'rate_limited' });
    expect(JSON.stringify([call?.status, call?.events, request?.events])).not.toContain('secret');
  });

  test('measurements come out', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    tracing.record({ name: 'gen_ai.client.token.usage', unit: '{token}' }, 12, { 'gen_ai.token.type': 'input' });
    await reader.forceFlush();
    const [metric] = exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? [];
    expect(metric?.descriptor).toMatchObject({ name: 'gen_ai.client.token.usage', unit: '{token}' });
    const attributes: Attributes = { 'gen_ai.token.type': 'input' };
    expect(metric?.dataPoints).toMatchObject([{ attributes, value: { count: 1, sum: 12 } }]);
    await reader.shutdown();
  });
});
