/** What a registered SDK exports of jobs of every fate holds no prompt, no answer, no key and no address. */
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelOf, general, openApp, SUBMIT, statusOf, type TestApp } from '../support/app.ts';
import { findLeaks, plant } from '../support/canaries.ts';
import { CANARY_MODELS, type Provider, startProvider } from '../support/provider.ts';

const spans = new InMemorySpanExporter();
let provider: Provider;
let api: TestApp;
beforeAll(async () => {
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).register();
  provider = await startProvider();
  api = await openApp(provider.environment);
});
afterAll(async () => {
  await api?.close();
  await provider?.stop();
  trace.disable();
});

test('of jobs that are answered, refused, put off and broken off, and of requests that are refused', async () => {
  for (const model of Object.values(CANARY_MODELS)) {
    const own = { tags: [plant('tag')], metadata: { [plant('name')]: plant('metadata') }, stream: true };
    const input = { system_message: plant('system'), full_input: plant('prompt') };
    const { body } = await api.post(SUBMIT, { ...general(input, model), ...own });
    const view = async () => (await api.get(statusOf(body.job_id))).body;
    await expect.poll(async () => (await view()).attempts?.[0]?.outcome, { timeout: 10_000 }).toBeDefined();
    await api.send('POST', cancelOf(body.job_id));
  }
  const key = `llmj_${'0123456789abcdef'.repeat(4)}01234567`;
  await api.post(
    SUBMIT,
    { ...general({ prompt: plant('prompt') }, plant('model')) },
    { Authorization: `Bearer ${key}` },
  );
  await api.get(`${statusOf(plant('id'))}?access_token=${plant('token')}`);
  await api.get(`/${plant('path')}/`);

  const told = spans.getFinishedSpans().map(({ name, kind, attributes, events, status, links, resource }) => {
    return { name, kind, attributes, events, status, links, resource: resource.attributes['service.name'] };
  });
  const failures = told.map(({ attributes }) => attributes['error.type']).filter(Boolean);
  for (const model of Object.values(CANARY_MODELS)) expect(told.map(({ name }) => name)).toContain(`chat ${model}`);
  expect(failures).toEqual(expect.arrayContaining(['invalid_request', 'overloaded']));
  expect(told.some(({ name, attributes }) => name === 'GET' && attributes['http.response.status_code'] === 404)).toBe(
    true,
  );
  // The net catches what it is for, in just this form.
  expect(findLeaks('spans', JSON.stringify([{ attributes: { a: plant('prompt') } }]))).toHaveLength(1);
  expect(findLeaks('spans', told.map((span) => JSON.stringify(span)).join('\n'))).toEqual([]);
});
