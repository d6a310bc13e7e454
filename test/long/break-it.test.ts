/** `/break-it/` in npm start, and where it is not. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLocal, startLocalSupervised } from '../browser/local-service.ts';
import { breakItTests } from '../end-to-end/break-it.ts';
import { ask } from '../support/http-client.ts';

let service: Awaited<ReturnType<typeof startLocalSupervised>>;
beforeAll(async () => {
  service = await startLocalSupervised();
}, 30_000);
afterAll(() => service?.stop());

breakItTests(() => service.baseUrl);

test('it is nowhere else: not without a supervisor, and not where callers need credentials', async () => {
  const services = await Promise.all([startLocal(), startLocalSupervised({ AUTH_MODE: 'api-key' })]);
  try {
    const answers = await Promise.all(services.map(({ baseUrl }) => ask(baseUrl, '/break-it/')));
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [404, 'route_not_found'],
      [404, 'route_not_found'],
    ]);
    const models = await Promise.all([services[0], service].map(({ baseUrl }) => ask(baseUrl, '/api/llm/models/')));
    const [without, withIt] = models.map(({ body }) => body.models as { model: string }[]);
    // One more model, and the others as they were.
    expect(withIt?.filter(({ model }) => !model.endsWith('break-it'))).toEqual(without);
    expect(withIt?.length).toBe((without?.length ?? 0) + 1);
  } finally {
    await Promise.all(services.map((each) => each.stop()));
  }
}, 40_000);

test('what cannot be done says why, and is not done: without its model, and on jobs that are kept in memory', async () => {
  const services = await Promise.all([
    startLocalSupervised({ OPENAI_COMPATIBLE_BASE_URL: 'http://127.0.0.1:9/v1', OPENAI_COMPATIBLE_MODELS: 'llama3.2' }),
    startLocalSupervised({ DATABASE_URL: ':memory:' }),
  ]);
  const needs = expect.stringContaining('needs OPENAI_COMPATIBLE_BASE_URL');
  const inMemory = expect.stringContaining('DATABASE_URL=:memory:');
  try {
    const [modelless, forgetful] = await Promise.all(services.map(({ baseUrl }) => ask(baseUrl, '/break-it/')));
    expect(Object.values(modelless?.body.available)).toEqual([needs, needs, needs, needs, needs]);
    expect(forgetful?.body.available).toMatchObject({ kill_worker: inMemory, deliver: true, freeze_store: true });
    for (const [{ baseUrl }, why] of [
      [services[0], needs],
      [services[1], inMemory],
    ] as const) {
      const refused = await ask(baseUrl, '/break-it/kill-worker/', {});
      expect(refused).toMatchObject({ status: 409, body: { success: false, code: 'not_available', error: why } });
    }
  } finally {
    await Promise.all(services.map((each) => each.stop()));
  }
}, 40_000);
