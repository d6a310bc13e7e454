/** What holds of every route alike: slashes, request ids, origins, the description; and which models a job can name. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isPublic } from '../../shared/http/pages.ts';
import {
  BATCH,
  cancelOf,
  general,
  LIST,
  MODELS,
  openApp,
  resultOf,
  retryOf,
  SUBMIT,
  statusOf,
  type TestApp,
  TRAINER,
} from '../support/app.ts';

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());

const PROMPTS = '/api/v1/web-knowledge/generate-prompt-async/';
const SIMULATED_ID = '6e1b493d-10ca-4796-8088-6e8ec9e4f974';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('a slash at the end is optional everywhere', async () => {
  const id = await api.submit('Slashes.');
  await api.poll(id);
  for (const path of [
    LIST,
    MODELS,
    statusOf(id),
    resultOf(id),
    '/jobs/',
    `/jobs/${id}/`,
    '/health/',
    '/openapi.json/',
  ]) {
    const [with_, without] = [await api.get(path), await api.get(path.replace(/\/$/, ''))];
    expect([path, with_.status]).toEqual([path, 200]);
    expect([path, without.status, without.body]).toEqual([path, 200, with_.body]);
  }
  for (const [path, body] of [
    [SUBMIT, general({ prompt: 'Slashes.' })],
    [TRAINER, { model_id: 'simulated', full_input: 'Slashes.' }],
    ['/jobs/', { prompt: 'Slashes.', provider: 'simulated', model: 'simulated' }],
    [BATCH, { jobs: [general({ prompt: 'Slashes.' })] }],
    [PROMPTS, { manual_prompt: 'Slashes.' }],
  ] as const) {
    for (const written of [path, path.replace(/\/$/, '')]) {
      expect([written, (await api.post(written, body)).status]).toEqual([written, 202]);
    }
  }
  const { body: task } = await api.post(PROMPTS, { manual_prompt: 'Slashes.' });
  for (const written of [task.status_url, task.status_url.replace(/\/$/, '')]) {
    expect([written, (await api.get(written)).status]).toEqual([written, 200]);
    expect((await api.send('POST', written.replace('/status/', '/cancel/'))).status).toBe(200);
  }
  for (const written of ['/api/v1/web-knowledge/generate-prompt/', '/api/v1/web-knowledge/generate-prompt']) {
    expect([written, (await api.post(written, { manual_prompt: 'Slashes.' })).status]).toEqual([written, 200]);
  }
  const { body: batch } = await api.post(BATCH, { jobs: [general({ prompt: 'Slashes.' })] });
  for (const written of [batch.urls.status, batch.urls.status.replace(/\/$/, '')]) {
    expect([written, (await api.get(written)).status]).toEqual([written, 200]);
  }
  for (const written of [cancelOf(id), cancelOf(id).replace(/\/$/, '')]) {
    expect([written, (await api.send('POST', written)).status]).toEqual([written, 200]);
  }
  const failed = await api.submit('[simulate fail=auth]');
  await api.poll(failed);
  for (const written of [retryOf(failed), retryOf(failed).replace(/\/$/, '')]) {
    expect([written, (await api.send('POST', written)).status]).toEqual([written, 202]);
  }
  for (const path of ['/api/llm/jobs/ID/', '/api/llm/jobs/ID']) {
    const written = path.replace('ID', await api.submit('Slashes.'));
    expect([path, (await api.send('DELETE', written)).status]).toEqual([path, 200]);
  }
  for (const path of ['/api/llm/users/local/', '/api/llm/users/local']) {
    expect([path, (await api.send('DELETE', path)).status]).toEqual([path, 200]);
  }
});

describe('a request id', () => {
  test.each([
    ['an answer', () => api.get(LIST, { 'X-Request-ID': 'mine-1' })],
    ['a refusal', () => api.get('/nowhere', { 'X-Request-ID': 'mine-1' })],
    ['a submission', () => api.post(SUBMIT, general({ prompt: 'Ids.' }), { 'X-Request-ID': 'mine-1' })],
  ])('that the caller chose comes back with %s', async (_, call) => {
    const { headers, body } = await call();
    expect(headers.get('X-Request-ID')).toBe('mine-1');
    if (body.success === false) expect(body.request_id).toBe('mine-1');
  });

  test('is made where there is none, or one that does not belong in a log', async () => {
    for (const sent of [{}, { 'X-Request-ID': 'a b<c>' }, { 'X-Request-ID': 'x'.repeat(1_000) }]) {
      const { headers, body } = await api.get('/nowhere', sent as Record<string, string>);
      expect(headers.get('X-Request-ID')).toMatch(UUID);
      expect(body.request_id).toBe(headers.get('X-Request-ID'));
    }
  });
});

describe('a page of', () => {
  const preflight = (app: TestApp, origin: string) =>
    app.send('OPTIONS', SUBMIT, {
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'x-csrftoken',
      },
    });

  test.each(['http://localhost:5173', 'http://localhost', 'https://127.0.0.1:8443', 'http://[::1]:3000'])(
    '%s may call, locally',
    async (origin) => {
      const { status, headers } = await preflight(api, origin);
      expect(status).toBe(204);
      expect(headers.get('Access-Control-Allow-Origin')).toBe(origin);
      expect(headers.get('Access-Control-Allow-Methods')).toContain('POST');
      for (const name of ['authorization', 'content-type', 'x-csrftoken', 'idempotency-key', 'last-event-id']) {
        expect(headers.get('Access-Control-Allow-Headers')?.toLowerCase()).toContain(name);
      }
      const read = await api.get(LIST, { Origin: origin });
      expect(read.headers.get('Access-Control-Allow-Origin')).toBe(origin);
      for (const name of ['Location', 'ETag', 'Retry-After', 'X-Request-ID']) {
        expect(read.headers.get('Access-Control-Expose-Headers')).toContain(name);
      }
    },
  );

  test.each([
    'https://evil.example',
    'http://localhost.evil.example',
    'http://evil.example/localhost',
    'http://localhost:80@evil.example',
    'null',
  ])('%s may not', async (origin) => {
    expect((await preflight(api, origin)).headers.get('Access-Control-Allow-Origin')).toBeNull();
    expect((await api.get(LIST, { Origin: origin })).headers.get('Access-Control-Allow-Origin')).toBeNull();
  });

  test('a listed origin may call, and then localhost may not', async () => {
    const listed = await openApp({ CORS_ORIGINS: 'https://app.example, https://b.example' });
    const allowed = async (origin: string) =>
      (await preflight(listed, origin)).headers.get('Access-Control-Allow-Origin');
    expect(await allowed('https://app.example')).toBe('https://app.example');
    expect(await allowed('https://b.example')).toBe('https://b.example');
    expect(await allowed('http://localhost:5173')).toBeNull();
    await listed.close();
  });

  test('an error can be read, too', async () => {
    const { headers } = await api.get(statusOf('x'), { Origin: 'http://localhost:5173' });
    expect(headers.get('Access-Control-Allow-Origin')).toBe('http://localhost:5173');
  });
});

describe('the models', () => {
  test('each have an id, names, a provider, and whether they can be used now, or why not', async () => {
    const { status, body } = await api.get(MODELS);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['success', 'models']);
    expect(body.models.length).toBeGreaterThan(3);
    for (const model of body.models) {
      expect(model.id).toMatch(UUID);
      const { available, unavailable_reason } = model;
      if (model.provider === 'simulated') expect({ available, unavailable_reason }).toEqual({ available: true });
      else
        expect({ available, unavailable_reason }).toEqual({
          available: false,
          unavailable_reason: expect.stringMatching(/[A-Z]+_[A-Z_]+/),
        });
    }
    const ids = body.models.map((model: { id: string }) => model.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining([SIMULATED_ID, '1a97ccb9-2e49-44b1-869c-e82054a05243']));
  });

  test.each([SIMULATED_ID, SIMULATED_ID.toUpperCase(), 'simulated', 'Simulated'])(
    'can be named as %s',
    async (name) => {
      const { status, body } = await api.post(SUBMIT, general({ prompt: 'Names.' }, name));
      expect([status, body.model]).toEqual([202, { id: SIMULATED_ID, name: 'Simulated', provider: 'simulated' }]);
    },
  );

  test('become usable with their key', async () => {
    const keyed = await openApp({ OPENAI_API_KEY: 'sk-test' });
    const { body } = await keyed.get(MODELS);
    const openai = body.models.filter((model: { provider: string }) => model.provider === 'openai');
    expect(openai.map((model: { available: boolean }) => model.available)).not.toContain(false);
    expect(JSON.stringify(body)).not.toContain('sk-test');
    await keyed.close();
  });
});

describe('a list', () => {
  test('shows the newest first, as their status views, in pages without a gap or a repeat', async () => {
    const own = await openApp();
    const made: string[] = [];
    for (let n = 0; n < 7; n++) made.push(await own.submit(`Job ${n}.`));
    const views = new Map(await Promise.all(made.map(async (id) => [id, await own.poll(id)] as const)));
    const paged = [];
    for (let offset = 0; offset < 9; offset += 3) {
      const { body } = await own.get(`${LIST}?limit=3&offset=${offset}`);
      expect(body).toMatchObject({ success: true, limit: 3, offset });
      paged.push(...body.jobs);
    }
    expect(new Set(paged.map((view) => view.job_id))).toEqual(new Set(made));
    expect(paged).toHaveLength(7);
    for (const view of paged) expect(view).toEqual(views.get(view.job_id));
    expect(paged).toEqual((await own.get(LIST)).body.jobs);
    const times = paged.map((view) => view.created_at);
    expect(times).toEqual([...times].sort().reverse());
    expect((await own.get(LIST)).body).toMatchObject({ limit: 20, offset: 0 });
    await own.close();
  });

  test('is filtered by status and by type', async () => {
    const own = await openApp();
    const good = await own.submit('Good.');
    const bad = await own.submit('[simulate fail=auth]');
    const { body } = await own.post(TRAINER, { model_id: 'simulated', full_input: 'Analyze.' });
    await Promise.all([good, bad, body.job_id].map((id) => own.poll(id)));
    const ids = async (query: string) =>
      (await own.get(`${LIST}?${query}`)).body.jobs.map((view: { job_id: string }) => view.job_id);
    expect(await ids('status=failed')).toEqual([bad]);
    expect(await ids('job_type=trainer_question_analysis')).toEqual([body.job_id]);
    expect(await ids('status=completed&job_type=general_llm_request')).toEqual([good]);
    expect(await ids('status=pending')).toEqual([]);
    await own.close();
  });
});

describe('the description', () => {
  test('is OpenAPI 3.1, lists every route that is mounted, and nothing else', async () => {
    const { status, body } = await api.get('/openapi.json');
    expect(status).toBe(200);
    expect(body.openapi).toMatch(/^3\.1\.\d+$/);
    expect(body.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
    const described = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const mounted = api.app.routes
      .filter(({ method, path }) => method !== 'ALL' && path !== '/health' && !isPublic(path))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(new Set(described)).toEqual(new Set(mounted));
    expect(described).toEqual(
      expect.arrayContaining([
        'POST /api/llm/jobs/submit',
        'POST /api/llm/jobs/{job_id}/cancel',
        'POST /api/llm/jobs/{job_id}/retry',
        'DELETE /api/llm/jobs/{job_id}',
        'DELETE /api/llm/users/{user_id}',
        'GET /api/llm/jobs/{job_id}/status',
      ]),
    );
  });

  test('resolves every reference, declares every parameter, and describes every answer', async () => {
    const { body } = await api.get('/openapi.json');
    for (const [, reference = ''] of JSON.stringify(body).matchAll(/"\$ref":"([^"]+)"/g)) {
      const found = reference
        .slice(2)
        .split('/')
        .reduce((value, key) => value?.[key], body);
      expect([reference, typeof found]).toEqual([reference, 'object']);
    }
    // biome-ignore lint/suspicious/noExplicitAny: a description from the wire
    for (const [path, methods] of Object.entries<Record<string, any>>(body.paths)) {
      for (const operation of Object.values(methods)) {
        const declared = (operation.parameters ?? []).filter((one: { in: string }) => one.in === 'path');
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, required: true }));
        expect(declared).toMatchObject(named);
        expect(declared).toHaveLength(named.length);
        for (const [status, answer] of Object.entries<{ description?: string }>(operation.responses)) {
          expect([path, status, answer.description]).toEqual([path, status, expect.stringMatching(/\S/)]);
        }
      }
    }
  });

  test('knows the jobs of a batch as it knows one that is published, and every filter of a list', async () => {
    const { body } = await api.get('/openapi.json');
    const { schema } = body.paths['/api/llm/jobs/batch'].post.requestBody.content['application/json'];
    expect(schema.properties.jobs).toMatchObject({ type: 'array', minItems: 1, maxItems: 500 });
    const { $schema: _, title: __, ...published } = (await api.get('/api/llm/schemas/published-submission.json')).body;
    expect(schema.properties.jobs.items).toEqual(published);
    const named = body.paths['/api/llm/jobs'].get.parameters.map(({ name }: { name: string }) => name);
    for (const filter of [
      'tag',
      'model',
      'created_after',
      'created_before',
      'question_id',
      'project_id',
      'batch_id',
      'cursor',
      'ids',
    ]) {
      expect(named).toContain(filter);
    }
  });

  test('knows both job types and their fields', async () => {
    const { body } = await api.get('/openapi.json');
    const submit = JSON.stringify(body.paths['/api/llm/jobs/submit'].post.requestBody);
    for (const word of ['trainer_question_analysis', 'general_llm_request', 'full_input', 'messages', 'model_id']) {
      expect(submit).toContain(word);
    }
  });
});
