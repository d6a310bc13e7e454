/** The spans, measurements and log lines of one job from its request to its model, with an SDK. */
import { metrics, SpanKind, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { Hono } from 'hono';
import { requestId } from 'hono/request-id';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { logContext } from '../../shared/adapters/opentelemetry-under-way.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { spanOfRequest } from '../../shared/http/request-span.ts';
import { general, openApp, SUBMIT, statusOf, type TestApp } from '../support/app.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const PARENT = `00-${TRACE}-${CALLER}-01`;

let spans: InMemorySpanExporter;
let exporter: InMemoryMetricExporter;
let reader: PeriodicExportingMetricReader;
let app: TestApp;
beforeEach(async () => {
  spans = new InMemorySpanExporter();
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
  exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  app = await openApp();
});
afterEach(async () => {
  await app.close();
  await reader.shutdown();
  trace.disable();
  metrics.disable();
});

const named = (name: string) => spans.getFinishedSpans().filter((span) => span.name === name);
const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;

async function ended(prompt: string, headers: Record<string, string>) {
  const { body } = await app.post(SUBMIT, general({ prompt }), headers);
  await app.poll(body.job_id);
  await expect.poll(() => named('run')).toHaveLength(1);
}

test('one trace: the request, the run that it led to, and the call of the model', async () => {
  await ended('A secret of mine.', { traceparent: PARENT });
  const request = spans.getFinishedSpans().find(({ name }) => name === 'POST');
  const [run] = named('run');
  const [call] = named('chat simulated');
  expect([request, run, call].map((span) => span?.spanContext().traceId)).toEqual([TRACE, TRACE, TRACE]);
  expect([parentOf(request), parentOf(run), parentOf(call)]).toEqual([CALLER, idOf(request), idOf(run)]);
  expect([request?.kind, call?.kind]).toEqual([SpanKind.SERVER, SpanKind.CLIENT]);
  const route = SUBMIT.replace(/\/$/, '');
  expect(request?.attributes).toEqual({
    ...{ 'http.request.method': 'POST', 'http.response.status_code': 202, 'http.route': route },
  });
  expect(call?.attributes).toMatchObject({
    ...{ 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'simulated', 'gen_ai.request.model': 'simulated' },
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.usage.input_tokens': expect.any(Number),
    'gen_ai.usage.output_tokens': expect.any(Number),
  });
  const told = spans
    .getFinishedSpans()
    .map(({ name, attributes, events, status }) => [name, attributes, events, status]);
  expect(JSON.stringify(told)).not.toContain('secret');
  await reader.forceFlush();
  const measured = exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? [];
  expect(measured.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints.length]).sort()).toEqual([
    ['gen_ai.client.operation.duration', 1],
    ['gen_ai.client.operation.time_to_first_chunk', 1],
    ['gen_ai.client.token.usage', 2],
  ]);
  expect(logContext()).toBeUndefined();
});

test('a call that fails fails its span with its code, and is measured as that', async () => {
  await ended('[simulate fail=auth]', { traceparent: PARENT });
  const [call] = named('chat simulated');
  expect(call?.attributes).toMatchObject({ 'error.type': 'auth' });
  expect(call?.status.message).toBe('auth');
  await reader.forceFlush();
  const [duration, ...others] = exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? [];
  expect(duration?.dataPoints).toMatchObject([{ attributes: { 'error.type': 'auth' } }]);
  expect(others.map(({ descriptor }) => descriptor.name)).not.toContain('gen_ai.client.operation.time_to_first_chunk');
});

test.each([
  [{ 'X-Cloud-Trace-Context': `${TRACE.toUpperCase()}/74;o=1` }, '000000000000004a'],
  [{ traceparent: PARENT, 'X-Cloud-Trace-Context': `${'1'.repeat(32)}/74;o=1` }, CALLER],
])("%j: the caller's trace", async (headers, parent) => {
  await app.get(statusOf(crypto.randomUUID()), headers);
  const [request] = named('GET');
  expect([request?.spanContext().traceId, parentOf(request)]).toEqual([TRACE, parent]);
});

test('no id of a request is in its span: a path may hold anything', async () => {
  const id = crypto.randomUUID();
  await app.get(statusOf(id));
  await app.get(`/nowhere/${id}`);
  expect(JSON.stringify(named('GET').map(({ attributes }) => attributes))).not.toContain(id);
  expect(named('GET').map(({ attributes }) => attributes['http.response.status_code'])).toEqual([404, 404]);
});

test.each([
  [503, '503'],
  [429, undefined],
])('a request answered with %d fails its span: %s', async (status, message) => {
  const door = new Hono<HttpEnv>().use(requestId()).use(spanOfRequest(opentelemetryTracing()));
  door.get('/x', (context) => context.body(null, status as 503));
  await door.request('/x');
  expect(named('GET').map((span) => [span.status.message, span.attributes['error.type']])).toEqual([
    [message, message],
  ]);
});
