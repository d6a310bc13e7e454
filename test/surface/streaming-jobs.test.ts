/** Seed 001 over HTTP: whole bodies and header lines, as its document shows them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import { cancelOf, general, LIST, SUBMIT, statusOf } from '../support/app.ts';
import { FINISH } from '../support/core-world.ts';
import { STORY, type StreamingWorld, streamingWorld } from './streaming-world.ts';

const ID = '123e4567-e89b-12d3-a456-426614174000';
const TIME = '2025-06-26T15:30:00.000Z';
/** The document's answer to its first example, as it stands there. */
const CREATED = `{
  "id": "123e4567-e89b-12d3-a456-426614174000",
  "prompt": "Write a short story about AI",
  "provider": "openai",
  "model": "gpt-4",
  "status": "pending",
  "createdAt": "2025-06-26T15:30:00.000Z",
  "updatedAt": "2025-06-26T15:30:00.000Z"
}`;
const TIMES = /"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g;
const START = '2023-11-14T22:13:20.000Z';

let api: StreamingWorld;
beforeEach(() => {
  api = streamingWorld();
});
afterEach(() => api.close());

const anew = (...given: Parameters<typeof streamingWorld>) => {
  api.close();
  api = streamingWorld(...given);
};
/** As it goes over the wire. */
const textOf = async (path: string) => (await api.app.request(path)).text();
const read = async (id: string) => (await api.get(`/jobs/${id}`)).body;
const later = (ms: number) => new Date(Date.parse(START) + ms).toISOString();

describe('POST /jobs', () => {
  test("answers the document's 202: its fields, in its order, with where the job is", async () => {
    const body = JSON.stringify(STORY);
    const headers = { 'Content-Type': 'application/json', 'Content-Length': `${body.length}` };
    const response = await api.app.request('/jobs', { method: 'POST', body, headers });
    expect(response.status).toBe(202);
    const text = await response.text();
    const { id, createdAt } = JSON.parse(text);
    expect(createdAt).toBe(START);
    expect(text.replace(id, ID).replaceAll(TIMES, `"${TIME}"`)).toBe(JSON.stringify(JSON.parse(CREATED)));
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      location: `/jobs/${id}`,
      'x-request-id': expect.any(String),
    });
    expect(response.headers.has('Idempotency-Replayed')).toBe(false);
    expect(await textOf(`/jobs/${id}`)).toBe(text);
  });

  test('implies streaming, and is seen under /api/llm in its words', async () => {
    const id = await api.create();
    expect((await api.get(statusOf(id))).body).toMatchObject({
      ...{ job_type: 'general_llm_request', status: 'pending', stream: true },
      model: { name: 'GPT-4', provider: 'openai' },
    });
  });

  test.each([
    ['openai', 'gpt-4', 'gpt-4', 'gpt-4'],
    ['openai', 'gpt-3.5-turbo', 'gpt-3.5-turbo', 'gpt-4o-mini'],
    ['openai', 'gpt-4-turbo-preview', 'gpt-4-turbo-preview', 'gpt-4o'],
    ['gemini', 'gemini-pro', 'gemini-pro', 'gemini-2.5-pro'],
    ['openai', 'GPT-4', 'gpt-4', 'gpt-4'],
    ['openai', 'openai/gpt-4', 'gpt-4', 'gpt-4'],
    ['simulated', 'simulated', 'simulated', 'simulated'],
  ])('%s %s is shown as %s, and runs as %s', async (provider, model, shown, runs) => {
    const id = await api.create({ provider, model });
    await api.run(id);
    expect(await read(id)).toMatchObject({ provider, model: shown, status: 'completed' });
    expect((await api.get(statusOf(id))).body.attempts).toMatchObject([{ provider, model: runs }]);
  });

  test('ignores fields that it does not know, and keeps the prompt as it is', async () => {
    const prompt = '  Say 👩‍🔬\n"漢字" \\ e\u0301 ';
    const id = await api.create({ prompt, temperature: 'hot', stream: false, id: ID, status: 'completed' });
    expect(id).not.toBe(ID);
    expect(await read(id)).toMatchObject({ prompt, status: 'pending' });
    expect((await api.get(statusOf(id))).body.stream).toBe(true);
  });

  test('with a key that was used answers the first job, however it ended, and refuses another body', async () => {
    const send = (over: object, key: string) => api.post('/jobs', { ...STORY, ...over }, { 'Idempotency-Key': key });
    const first = await send({}, '"key-1"');
    expect([first.status, first.headers.get('Idempotency-Replayed')]).toEqual([202, null]);
    await api.run(first.body.id);
    const again = await send({ more: 1 }, 'key-1');
    expect([again.status, again.headers.get('Idempotency-Replayed')]).toEqual([202, 'true']);
    expect(again.headers.get('Location')).toBe(`/jobs/${first.body.id}`);
    expect(again.body).toEqual(await read(first.body.id));
    expect(again.body).toMatchObject({ status: 'completed', result: 'Once upon a time' });
    const other = await send({ prompt: 'Another one.' }, 'key-1');
    expect([other.status, other.body]).toEqual([409, { error: expect.stringContaining('Idempotency-Key') }]);
    const wrong = await send({}, 'x'.repeat(256));
    expect([wrong.status, wrong.body]).toEqual([400, { error: expect.stringMatching(/^Idempotency-Key: /) }]);
  });
});

describe('GET /jobs/{id}', () => {
  const BEGIN = { prompt: STORY.prompt, provider: 'openai', model: 'gpt-4' };
  const shown = (id: string, more: object) => JSON.stringify({ id, ...BEGIN, ...more });

  test('shows a job through its life, with exactly the fields that have a value', async () => {
    const id = await api.create();
    await api.world.clock.advance(1_000);
    expect(await textOf(`/jobs/${id}`)).toBe(shown(id, { status: 'pending', createdAt: START, updatedAt: START }));
    const running = api.world.run({ tenant: 'default', id });
    await api.world.clock.advance(100);
    const running_ = { status: 'running', createdAt: START, updatedAt: later(1_000) };
    expect(await textOf(`/jobs/${id}`)).toBe(shown(id, running_));
    await api.world.clock.until(running);
    const metrics = { durationMs: 2_500, tokenCount: 42 };
    const times = { createdAt: START, updatedAt: later(3_500) };
    expect(await textOf(`/jobs/${id}`)).toBe(
      shown(id, { status: 'completed', result: 'Once upon a time', metrics, ...times }),
    );
  });

  test('shows one that failed as failed, one that was cancelled, too', async () => {
    anew(async function* () {
      yield { type: 'text-delta', text: 'Once' };
      throw new ServiceError('content_policy', 'The provider refused the prompt.');
    });
    const [failed, cancelled] = [await api.create(), await api.create()];
    await api.run(failed);
    await api.send('POST', cancelOf(cancelled));
    for (const id of [failed, cancelled]) {
      expect(await textOf(`/jobs/${id}`)).toBe(shown(id, { status: 'failed', createdAt: START, updatedAt: START }));
    }
  });

  test('has no tokenCount where the provider told no usage', async () => {
    anew(async function* () {
      yield { type: 'text-delta', text: 'Once' };
      yield FINISH;
    });
    const id = await api.create();
    await api.run(id);
    expect(await read(id)).toMatchObject({ status: 'completed', metrics: { durationMs: 0 } });
    expect((await read(id)).metrics).not.toHaveProperty('tokenCount');
  });

  test('counts the tokens of the answer, not those of attempts that failed', async () => {
    let calls = 0;
    anew(async function* (): AsyncIterable<LlmPart> {
      calls += 1;
      yield { type: 'text-delta', text: 'Once' };
      yield { type: 'usage', usage: { inputTokens: 7, outputTokens: calls, totalTokens: 7 + calls } };
      if (calls === 1) throw new ServiceError('overloaded', 'The provider is overloaded.');
      yield FINISH;
    });
    const id = await api.create();
    await api.run(id);
    expect([calls, (await read(id)).metrics.tokenCount]).toEqual([2, 2]);
  });

  test('is updated with each attempt', async () => {
    anew(async function* (): AsyncIterable<LlmPart> {
      await sleep(api.world.clock, 1_000);
      yield { type: 'text-delta', text: 'Once' };
      throw new ServiceError('overloaded', 'The provider is overloaded.');
    });
    const id = await api.create();
    void api.world.run({ tenant: 'default', id });
    await api.world.clock.advance(1_500);
    // The first attempt has failed, the second one waits.
    expect(await read(id)).toMatchObject({ status: 'running', updatedAt: later(1_000) });
  });

  test('a HEAD of it, or of its stream, is no read of its result', async () => {
    const { body } = await api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), store: false });
    await api.run(body.job_id);
    const updates = api.world.store.calls('update');
    expect((await api.send('HEAD', `/jobs/${body.job_id}`)).status).toBe(200);
    expect((await api.stream(body.job_id, {}, 'HEAD')).status).toBe(200);
    expect(api.world.store.calls('update')).toBe(updates);
    expect(await read(body.job_id)).toMatchObject({ prompt: 'Hello.', result: 'Once upon a time' });
    expect(api.world.store.calls('update')).toBe(updates + 1);
  });

  test('has neither prompt nor result when they were removed', async () => {
    const { body } = await api.post(SUBMIT, { ...general({ prompt: 'Secret.' }), store: false, stream: true });
    await api.run(body.job_id);
    expect(await read(body.job_id)).toMatchObject({ prompt: 'Secret.' });
    await api.world.clock.advance(60_000);
    const removed = await read(body.job_id);
    expect(Object.keys(removed)).toEqual(['id', 'provider', 'model', 'status', 'metrics', 'createdAt', 'updatedAt']);
    expect((await api.get('/jobs')).body.jobs).toEqual([removed]);
    expect((await api.events(body.job_id)).map(({ event }) => event)).toEqual(['metrics']);
  });
});

describe('a job of another kind', () => {
  const USER = { role: 'user', content: 'Hello.' };
  test.each([
    ['a conversation', general({ messages: [USER] })],
    ['words of the LLM module', general({ llm: { prompt: 'Hello.' } })],
    ['an answer that is no text', general({ prompt: 'Hello.', response_schema: { type: 'object' } })],
    [
      'another job type',
      { job_type: 'trainer_question_analysis', model_id: 'simulated', input_data: { full_input: 'x' } },
    ],
  ])('is not found here: %s', async (_, submission) => {
    const { status, body } = await api.post(SUBMIT, { ...submission, store: false, stream: true });
    expect(status).toBe(202);
    const mine = await api.create();
    for (const isOver of [false, true]) {
      if (isOver) await api.run(body.job_id);
      const updates = api.world.store.calls('update');
      for (const path of [`/jobs/${body.job_id}`, `/jobs/${body.job_id}/stream`]) {
        const reply = await api.get(path);
        expect([path, reply.status, reply.body]).toEqual([path, 404, { error: 'Job not found' }]);
      }
      const { jobs } = (await api.get('/jobs')).body;
      expect(jobs.map(({ id }: { id: string }) => id)).toEqual([mine]);
      // Nobody was given its result, which stays for its reader.
      expect(api.world.store.calls('update')).toBe(updates);
    }
    expect((await api.get(LIST)).body.jobs).toHaveLength(2);
  });

  test('with a prompt and no stream is one of this kind', async () => {
    const { body } = await api.post(SUBMIT, general({ prompt: 'Hello.', temperature: 0.5 }, 'gpt-4o'));
    await api.run(body.job_id);
    expect(await read(body.job_id)).toMatchObject({ prompt: 'Hello.', model: 'gpt-4o', result: 'Once upon a time' });
  });
});

describe('GET /jobs', () => {
  test('is empty, then shows each job as it is shown alone, newest first', async () => {
    expect(await textOf('/jobs')).toBe('{"jobs":[]}');
    const ids = [];
    for (let n = 0; n < 3; n++) {
      ids.unshift(await api.create({ prompt: `Story ${n}.` }));
      await api.world.clock.advance(10);
    }
    await api.run(ids[1] ?? '');
    expect((await api.get('/jobs')).body).toEqual({ jobs: await Promise.all(ids.map(read)) });
  });

  test('is read page by page, also past jobs of another kind', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 25; n++) {
      if (n % 5 === 4) await api.post(SUBMIT, general({ messages: [{ role: 'user', content: 'Hello.' }] }));
      else ids.unshift(await api.create());
      await api.world.clock.advance(10);
    }
    expect((await api.get('/jobs')).body).toMatchObject({ jobs: { length: 16 }, nextCursor: expect.any(String) });
    const paged: string[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages === 0 || cursor !== undefined; pages++) {
      const { body } = await api.get(`/jobs?limit=4${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      expect(Object.keys(body)).toEqual(pages < 6 ? ['jobs', 'nextCursor'] : ['jobs']);
      paged.push(...body.jobs.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    }
    expect(paged).toEqual(ids);
  });

  test('costs a query and a read of the inputs', async () => {
    for (let n = 0; n < 3; n++) await api.create();
    const calls = () => ['list', 'inputs', 'get', 'getMany'].map((method) => api.world.store.calls(method as 'list'));
    const before = calls();
    await api.get('/jobs');
    expect(calls().map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1, 0, 0]);
  });

  test.each([
    ['limit=0', 'limit: must be a whole number from 1 to 100'],
    ['limit=101', 'limit: must be a whole number from 1 to 100'],
    ['limit=1.5', 'limit: must be a whole number from 1 to 100'],
    ['limit=', 'limit: must be a whole number from 1 to 100'],
    [
      'cursor=abc',
      'cursor: is no cursor of this list; take nextCursor from the page before as it is, with the same filters',
    ],
  ])('%s is refused', async (query, error) => {
    const { status, body } = await api.get(`/jobs?${query}`);
    expect([status, body]).toEqual([400, { error }]);
  });
});
