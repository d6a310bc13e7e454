/** Results that are not ready, methods that a deployment does not serve, and what is out of order on our side. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { general, LIST, resultOf, SUBMIT, TRAINER } from '../support/app.ts';
import { type CoreWorld, coreWorld } from '../support/core-world.ts';
import { appOver, JSON_TYPE, PROMPT, type Refuse, refuser } from './counted-app.ts';

let job: Job;
let world: CoreWorld;
let refuse: Refuse;
beforeAll(async () => {
  world = coreWorld();
  refuse = refuser(world);
  job = await world.submit();
});
afterAll(() => world.close());

test('a job that is not ready has no result: 409 with the status', async () => {
  expect(await refuse('GET', resultOf(job.id))).toMatchObject({
    status: 409,
    body: { code: 'job_not_complete', status: 'pending' },
  });
});

describe('a method', () => {
  test.each(['GET', 'POST', 'DELETE', 'PATCH'])('%s on a path that nobody knows is 404', async (method) => {
    expect(await refuse(method, '/nowhere')).toMatchObject({ status: 404, body: { code: 'route_not_found' } });
  });

  test.each([
    ['reads', ['reads'], 'POST', LIST, 'GET'],
    ['writes', ['writes'], 'GET', TRAINER, 'POST'],
  ] as const)(
    'that a deployment of the %s does not serve is 405, and Allow has the one it does',
    async (_, kinds, method, path, allowed) => {
      const response = await appOver(world, {}, kinds).request(path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('Allow')?.split(', ')).toContain(allowed);
    },
  );
});

test('a model without its key is 503, names the setting, and says when to come again', async () => {
  const { status, headers, body } = await refuse('POST', SUBMIT, JSON.stringify(general(PROMPT, 'GPT-4')));
  expect({ status, body }).toMatchObject({ status: 503, body: { code: 'model_unavailable' } });
  expect(body.error).toContain('OPENAI_API_KEY');
  expect(headers.get('Retry-After')).toMatch(/^\d+$/);
});

test('a store that does not answer is 503, names the job, and says when to come again', async () => {
  world.store.fail('create', 'before');
  const text = JSON.stringify(general(PROMPT));
  const response = await appOver(world).request(SUBMIT, {
    method: 'POST',
    body: text,
    headers: { ...JSON_TYPE, 'Content-Length': String(text.length) },
  });
  expect(world.store.fired()).toBe(1);
  expect(response.status).toBe(503);
  expect(response.headers.get('Retry-After')).toBe('1');
  expect(await response.json()).toMatchObject({
    success: false,
    code: 'store_unavailable',
    job_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

test('something that breaks on our side is 500 and shows nothing of it; the log says where it broke', async () => {
  const service = { ...world.service, list: () => Promise.reject(new TypeError('secret of the inside')) };
  const response = await appOver(world, { service }).request(LIST);
  const text = await response.text();
  expect(response.status).toBe(500);
  expect(JSON.parse(text)).toMatchObject({ success: false, code: 'internal_error', request_id: expect.any(String) });
  expect(text).not.toContain('secret');
  expect(text).not.toContain('TypeError');
  const logged = world.lines.find((line) => line.includes('internal_error')) ?? '';
  expect(logged).toMatch(/"stack":"TypeError at .*not-served\.test\.ts/);
  expect(logged).not.toContain('secret');
});
