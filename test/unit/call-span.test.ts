/** What is measured of a call, on virtual time. */
import { metrics, SpanKind, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterEach, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { tracedBackground } from '../../shared/core/call-span.ts';
import type { Background, CallOptions, LlmRequest } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import { type CoreWorld, coreWorld, FINISH } from '../support/core-world.ts';

let world: CoreWorld | undefined;
afterEach(() => {
  world?.close();
  world = undefined;
  trace.disable();
  metrics.disable();
});

function recorded() {
  const spans = new InMemorySpanExporter();
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
  return () => spans.getFinishedSpans();
}

test('the first token is the first, and the whole call is measured from where it was asked', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const made = coreWorld(async function* () {
    yield { type: 'accepted', providerRequestId: 'req-1' };
    await sleep(made.clock, 300);
    yield { type: 'text-delta', text: 'Hi' };
    await sleep(made.clock, 700);
    yield { type: 'text-delta', text: '!' };
    yield FINISH;
  });
  world = made;
  const worker = made.anotherWorker({ tracing: opentelemetryTracing() });
  const running = worker.run(await made.submit());
  expect(await made.clock.until(running)).toEqual({ finished: 'completed' });
  const line = made.lines.map((text) => JSON.parse(text)).find(({ event }) => event === 'job-finished');
  expect(line).toMatchObject({ first_token_ms: 300 });
  await reader.forceFlush();
  const measured = exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? [];
  const sumOf = (name: string) =>
    measured.find(({ descriptor }) => descriptor.name === name)?.dataPoints[0]?.value as { sum: number };
  expect(sumOf('gen_ai.client.operation.time_to_first_chunk').sum).toBeCloseTo(0.3, 6);
  expect(sumOf('gen_ai.client.operation.duration').sum).toBeCloseTo(1, 6);
  await reader.shutdown();
});

test('each request of a background mode is a span of its own, and carries it on', async () => {
  const spans = recorded();
  const heard: (string | undefined)[] = [];
  const ask = async (options: CallOptions) => {
    heard.push(options.traceparent);
    return {} as never;
  };
  const background: Background = {
    start: (_, options) => ask(options),
    look: (_id, _request, options) => ask(options),
    cancel: (_, options) => ask(options),
  };
  const model = { id: 'm', name: 'Gemini', provider: 'gemini', model: 'gemini-2.5-flash' };
  const traced = tracedBackground({ tracing: opentelemetryTracing() }, model, background);
  const { signal } = new AbortController();
  await traced.start({} as LlmRequest, { signal });
  await traced.look('r', {} as LlmRequest, { signal });
  await traced.cancel('r', { signal });
  const told = spans().map((span) => [span.name, span.kind, span.attributes['gen_ai.provider.name']]);
  expect(told).toEqual(
    ['start', 'look', 'cancel'].map((act) => [`${act} gemini-2.5-flash`, SpanKind.CLIENT, 'gcp.gemini']),
  );
  const contexts = spans().map((span) => span.spanContext());
  expect(heard).toEqual(contexts.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`));
});
