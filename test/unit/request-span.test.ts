/** Which trace a request belongs to: W3C's header, or Google's older one; and what its span says of it. */
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { Hono } from 'hono';
import { afterEach, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { logContext } from '../../shared/adapters/opentelemetry-under-way.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { cloudTrace, spanOfRequest } from '../../shared/http/request-span.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

/** The span that a handler runs in. */
async function seenWith(headers: Record<string, string>) {
  const app = new Hono<HttpEnv>();
  let seen: ReturnType<typeof logContext>;
  app.use(spanOfRequest(opentelemetryTracing()));
  app.get('/jobs/:id', (context) => {
    seen = logContext();
    return context.text('', context.req.query('fails') ? 503 : 200);
  });
  await app.request('/jobs/secret-id?token=secret-token', { headers });
  await app.request('/jobs/secret-id?fails=1&token=secret-token', { headers });
  return seen;
}

test.each([
  [`${TRACE}/1311768467463790320;o=1`, `00-${TRACE}-123456789abcdef0-01`],
  [`${TRACE.toUpperCase()}/255;o=0`, `00-${TRACE}-00000000000000ff-00`],
  [`${TRACE}/255`, `00-${TRACE}-00000000000000ff-00`],
  ...['', TRACE, `${TRACE}/`, `${TRACE}/x;o=1`, `${TRACE}/1;o=2`, `${TRACE}/1;o=1;x`, `${'9'.repeat(600_000)}/1`].map(
    (header): [string, undefined] => [header, undefined],
  ),
])('X-Cloud-Trace-Context %.60s', (header, traceparent) => {
  expect(cloudTrace(header)).toBe(traceparent);
});

test("W3C's header is asked first, then Google's; zeros and noise are no trace", async () => {
  const cloud = `${'1'.repeat(32)}/255;o=1`;
  const both = await seenWith({ traceparent: `00-${TRACE}-b7ad6b7169203331-01`, 'x-cloud-trace-context': cloud });
  expect(both).toMatchObject({ traceId: TRACE, isSampled: true });
  expect(await seenWith({ 'x-cloud-trace-context': cloud })).toMatchObject({
    ...{ traceId: '1'.repeat(32), spanId: '00000000000000ff', isSampled: true },
  });
  for (const hostile of [`00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `00-${TRACE}-b7ad6b7169203331-01`.toUpperCase()]) {
    const seen = await seenWith({ traceparent: hostile });
    expect(seen).toMatchObject({ traceId: expect.stringMatching(/^(?!0{32})[\da-f]{32}$/), isSampled: false });
    expect(hostile.toLowerCase()).not.toContain(seen?.traceId);
  }
});

afterEach(() => trace.disable());

test('its span has the route and the status, never the address; an answer of 5xx is a failure', async () => {
  const spans = new InMemorySpanExporter();
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
  await seenWith({});
  const told = spans.getFinishedSpans().map(({ name, attributes, status }) => ({ name, attributes, status }));
  expect(told.map(({ attributes }) => attributes)).toEqual([
    { 'http.request.method': 'GET', 'http.response.status_code': 200, 'http.route': '/jobs/:id' },
    {
      ...{ 'http.request.method': 'GET', 'http.response.status_code': 503, 'http.route': '/jobs/:id' },
      'error.type': '503',
    },
  ]);
  expect(JSON.stringify(told)).not.toContain('secret');
});
