/** The reference page and the schemas: whole, offline, from our own host. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openApp, type TestApp } from '../support/app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());

const text = async (path: string) => {
  const response = await api.app.request(path);
  return { status: response.status, headers: response.headers, text: await response.text() };
};

test('the page loads only files that we serve, and asks no other host', async () => {
  const page = await text('/docs');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '');
  expect(files).toContain('/docs/swagger-ui-bundle.js');
  for (const file of files.filter((url) => url !== 'data:,')) {
    const served = await text(file);
    expect([file, served.status]).toEqual([file, 200]);
    expect(served.headers.get('content-type')).toMatch(/^text\/(css|javascript)/);
  }
  expect((await text('/docs/start.js')).text).toContain('validatorUrl: null');
  expect((await text('/docs/')).status).toBe(200);
});

test.each(['nothing.js', '..%2fpackage.json', '__proto__', 'constructor'])('/docs/%s is 404', async (file) => {
  const missing = await text(`/docs/${file}`);
  expect(missing.status).toBe(404);
  expect(JSON.parse(missing.text)).toMatchObject({ success: false, code: 'route_not_found' });
});

test('the schema of a published submission has a branch per job type, and what makes a repeat the same job', async () => {
  const { status, body } = await api.get('/api/llm/schemas/published-submission.json');
  expect(status).toBe(200);
  expect(body.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
  const types = body.oneOf.map(
    (branch: { properties: { job_type: { const: string } } }) => branch.properties.job_type.const,
  );
  expect(types).toEqual([
    ...['trainer_question_analysis', 'review_colab', 'general_llm_request', 'structured_extraction'],
    'prompt_generation',
  ]);
  for (const branch of body.oneOf) {
    // The input of a general request may name its model itself.
    const isGeneral = branch.properties.job_type.const === 'general_llm_request';
    expect(branch.required).toEqual(['job_type', ...(isGeneral ? [] : ['model_id']), 'input_data']);
    expect(Object.keys(branch.properties)).toEqual(
      expect.arrayContaining(['job_id', 'idempotency_key', 'question_id']),
    );
    expect(branch.additionalProperties).toBe(false);
  }
});

test('a wrong id and a wrong key are refused, and named', async () => {
  const body = JSON.stringify({ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'x' } });
  const headers = { 'Content-Type': 'application/json' };
  const put = await api.send('PUT', '/api/llm/jobs/17', { body, headers });
  expect([put.status, put.body.details[0].path]).toEqual([400, 'job_id']);
  const derived = await api.send('PUT', '/api/llm/jobs/c7dbf19c-2bf5-8238-a1e8-6f9cb3edfb1a', { body, headers });
  expect([derived.status, derived.body.details[0].path]).toEqual([400, 'job_id']);
  const long = await api.send('POST', '/api/llm/jobs/submit', {
    body,
    headers: { ...headers, 'Idempotency-Key': 'x'.repeat(256) },
  });
  expect([long.status, long.body.details[0].path]).toEqual([400, 'Idempotency-Key']);
  expect((await api.get('/api/llm/jobs/')).body.jobs).toEqual([]);
});
