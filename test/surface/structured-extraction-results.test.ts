/** Seed 002 over HTTP: what a result holds, what a submit keeps, and what other contracts show of such a job. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LlmRequest } from '../../shared/core/llm.ts';
import { openApp, statusOf } from '../support/app.ts';
import { warmExtraction } from '../support/extraction.ts';
import { type ExtractionWorld, extractionWorld, FOUND, says, TEXT } from './extraction-world.ts';

beforeAll(warmExtraction);

let world: ExtractionWorld;
afterEach(() => world?.close());

describe('the result', () => {
  test('has its fields in the order of the document, whatever the order of the answer', async () => {
    const { summary, sentiment, tags, entities } = JSON.parse(FOUND);
    const [{ type, value, confidence }] = entities;
    const turned = { entities: [{ confidence, value, type }], tags, sentiment, summary };
    world = extractionWorld(says(JSON.stringify(turned, null, 2)));
    const id = await world.submit();
    await world.runToEnd(id);
    expect((await world.result(id)).body.result).toBe(FOUND);
  });

  test('has language and toxicity_score when they are wanted, and is asked for with them', async () => {
    const asked: LlmRequest[] = [];
    const whole = FOUND.replace(/}$/, ',"language":"en","toxicity_score":0.02}');
    world = extractionWorld((request, signal, call) => {
      asked.push(request);
      return says(whole)(request, signal, call);
    });
    const id = await world.submit({ text: TEXT, extended: true });
    await world.runToEnd(id);
    expect((await world.result(id)).body).toEqual({ job_id: id, result: whole });
    expect(asked[0]?.responseSchema?.schema.required).toContain('toxicity_score');
    const plain = await world.submit({ text: TEXT, extended: false });
    expect(await world.inputOf(plain)).toEqual({ text: TEXT });
  });

  test('can be asked for as often as wanted without being taken for a guess', async () => {
    world = extractionWorld(undefined, { RATE_LIMITS: 'writes=60,reads=60,job-reads=600,strangers=60' });
    const id = await world.submit();
    for (let n = 0; n < 100; n++) expect([n, (await world.result(id)).status]).toEqual([n, 404]);
    const list = await world.get('/api/llm/jobs/');
    expect([list.status, list.headers.get('RateLimit')]).toEqual([200, '"reads";r=19;t=1']);
    for (let n = 0; n < 20; n++) await world.result(crypto.randomUUID());
    expect((await world.result(id)).status).toBe(429);
  });
});

test('what a request says of itself is kept: its id, and its key', async () => {
  world = extractionWorld();
  const sent = { text: TEXT, 'Field-That': 'nobody knows' };
  const headers = { 'X-Request-ID': 'mine-17', 'Idempotency-Key': '"key-1"' };
  const first = await world.post('/llm/submit', sent, headers);
  expect(first.headers.get('X-Request-ID')).toBe('mine-17');
  expect(first.headers.get('Idempotency-Replayed')).toBeNull();
  const { job_id: id } = first.body;
  expect(await world.jobOf(id)).toMatchObject({ requestId: 'mine-17', jobType: 'structured_extraction' });
  expect(await world.inputOf(id)).toEqual({ text: TEXT });
  const again = await world.post('/llm/submit', { text: TEXT }, { ...headers, 'X-Request-ID': 'mine-18' });
  expect([again.status, again.body, again.headers.get('Idempotency-Replayed')]).toEqual([200, { job_id: id }, 'true']);
  const other = await world.post('/llm/submit', { text: 'Other.' }, headers);
  expect([other.status, Object.keys(other.body)]).toEqual([409, ['detail']]);
});

test('the canonical view of the job shows what it used, and takes such jobs, too', async () => {
  world = extractionWorld();
  const id = await world.submit();
  await world.runToEnd(id);
  expect((await world.get(statusOf(id))).body).toMatchObject({
    ...{ job_type: 'structured_extraction', status: 'completed', model: { provider: 'simulated' } },
    result_data: { success: true, result: JSON.parse(FOUND) },
    usage: { input_tokens: 120, output_tokens: 40, total_tokens: 160 },
  });
  const canonical = { job_type: 'structured_extraction', model_id: 'simulated', input_data: { text: TEXT } };
  const submitted = await world.post('/api/llm/jobs/submit/', canonical);
  expect(submitted.status).toBe(202);
  await world.runToEnd(submitted.body.job_id);
  expect((await world.result(submitted.body.job_id)).body.result).toBe(FOUND);
  const wrong = await world.post('/api/llm/jobs/submit/', {
    ...canonical,
    input_data: { text: '', extended: 'yes', more: 1 },
  });
  expect([wrong.status, wrong.body.details.map(({ path }: { path: string }) => path)]).toEqual([
    400,
    ['input_data.text', 'input_data.extended', 'input_data.more'],
  ]);
});

test('a slash at the end is optional, and HEAD answers as GET does', async () => {
  world = extractionWorld();
  expect((await world.post('/llm/submit/', { text: TEXT })).status).toBe(200);
  expect((await world.post('/llm/submit/batch/', { texts: [TEXT] })).status).toBe(200);
  const id = await world.submit();
  await world.runToEnd(id);
  for (const path of [`/llm/status/${id}/`, `/llm/result/${id}/`]) {
    expect([path, (await world.get(path)).status, (await world.send('HEAD', path)).status]).toEqual([path, 200, 200]);
  }
  expect((await world.send('POST', `/llm/cancel/${id}/`)).status).toBe(200);
});

test('without any key the simulated model answers, and can be told to fail', async () => {
  const api = await openApp();
  const words: unknown[] = [];
  for (const text of ['Anything.', '[simulate fail=auth]', '[simulate json=wrong]', '[simulate json=broken times=1]']) {
    const { job_id } = (await api.post('/llm/submit', { text, extended: true })).body;
    await api.poll(job_id);
    const { status, stage } = (await api.get(`/llm/status/${job_id}`)).body;
    words.push([status, stage, (await api.get(`/llm/result/${job_id}`)).status]);
  }
  expect(words).toEqual([
    ['finished', 'done', 200],
    ['failed', 'calling_llm', 404],
    ['failed', 'validating', 404],
    ['finished', 'done', 200],
  ]);
  await api.close();
});
