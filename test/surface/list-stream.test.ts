/** `GET /api/llm/jobs/stream/`: the list as it changes, as a browser would follow it. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BATCH, general, LIST, openApp, pause, SUBMIT, statusOf, type TestApp } from '../support/app.ts';

const STREAM = '/api/llm/jobs/stream/';

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());

// biome-ignore lint/suspicious/noExplicitAny: what an event holds is what the tests ask
type Event = { event: string | undefined; id: string | undefined; data: any };

/** Follows a list; `next` answers `undefined` at its end. */
async function follow(query = '', app = api) {
  const response = await app.app.request(`${STREAM}${query}`);
  expect(response.status).toBe(200);
  const reader = response.body
    ?.pipeThrough(new TextDecoderStream() as never)
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  return {
    response,
    async next(): Promise<Event | undefined> {
      const step = await reader?.read();
      if (!step || step.done) return undefined;
      const { event, id, data } = step.value as { event?: string; id?: string; data: string };
      return { event, id, data: JSON.parse(data) };
    },
    leave: () => reader?.cancel(),
  };
}

const newTag = () => `t-${crypto.randomUUID()}`;

async function submit(tag: string, prompt = 'Hello.'): Promise<string> {
  const { status, body } = await api.post(SUBMIT, { ...general({ prompt }), tags: [tag] });
  expect(status).toBe(202);
  return body.job_id;
}

describe('a list that is followed', () => {
  test('begins with the views of the newest, goes on with every change of a job, and says what is gone', async () => {
    const tag = newTag();
    const first = await submit(tag);
    const view = await api.poll(first);
    const { response, next, leave } = await follow(`?tag=${tag}`);
    expect(response.headers.get('Content-Type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('Cache-Control')).toBe('no-store, no-transform');
    const { result_data: _, ...shown } = view;
    expect(await next()).toEqual({ event: 'snapshot', id: undefined, data: { jobs: [shown] } });

    const second = await submit(tag, '[simulate seconds=0.4]');
    const states: string[] = [];
    while (states.at(-1) !== 'completed') {
      const heard = await next();
      expect(heard).toMatchObject({ event: 'jobs', data: { jobs: [{ job_id: second }], gone: [] } });
      expect(heard?.data.jobs[0]).not.toHaveProperty('result_data');
      states.push(heard?.data.jobs[0].status);
    }
    expect(states.length).toBeGreaterThan(1);
    await api.send('DELETE', `/api/llm/jobs/${first}/`);
    expect(await next()).toEqual({ event: 'jobs', id: undefined, data: { jobs: [], gone: [first] } });
    await leave();
  });

  test('hands a cursor on, with which the list goes on after the last job', async () => {
    const tag = newTag();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.unshift(await submit(tag));
      // Of one millisecond each, so that their order is known.
      await pause(2);
    }
    const { next, leave } = await follow(`?tag=${tag}&limit=2`);
    const { jobs, next_cursor } = (await next())?.data ?? {};
    expect(jobs.map((job: { job_id: string }) => job.job_id)).toEqual(ids.slice(0, 2));
    await submit(tag);
    const page = await api.get(`${LIST}?tag=${tag}&limit=10&cursor=${next_cursor}`);
    expect(page.body.jobs.map((job: { job_id: string }) => job.job_id)).toEqual(ids.slice(2));
    // A cursor of this list is none of another.
    expect((await api.get(`${LIST}?cursor=${next_cursor}`)).status).toBe(400);
    await leave();
  });

  test('is of the fifty newest where nobody says otherwise', async () => {
    const tag = newTag();
    const jobs = Array.from({ length: 51 }, () => ({ ...general({ prompt: 'Hello.' }), tags: [tag] }));
    expect((await api.post(BATCH, { jobs })).status).toBe(202);
    const { next, leave } = await follow(`?tag=${tag}`);
    const { jobs: followed, next_cursor } = (await next())?.data ?? {};
    expect([followed.length, typeof next_cursor]).toEqual([50, 'string']);
    await leave();
  });

  test('is narrowed to what a list is narrowed to', async () => {
    const tag = newTag();
    const id = await submit(tag, '[simulate fail=auth]');
    const { model, job_type } = await api.poll(id);
    for (const [query, count] of [
      [`tag=${tag}&status=failed&job_type=${job_type}&model=${model.id}`, 1],
      [`tag=${tag}&model=simulated`, 1],
      [`tag=${tag}&status=completed`, 0],
      [`tag=${tag}&question_id=q`, 0],
      [`tag=${tag}&project_id=p`, 0],
      [`tag=${tag}&arm=a/b`, 0],
      [`tag=${tag}&batch_id=${id}`, 0],
    ] as const) {
      const { next, leave } = await follow(`?${query}`);
      expect([query, (await next())?.data.jobs.length]).toEqual([query, count]);
      await leave();
    }
  });

  test('ends by itself', async () => {
    const app = await openApp({ STREAM_MS: '1000' });
    const { next } = await follow('', app);
    expect((await next())?.data).toEqual({ jobs: [] });
    expect(await next()).toBeUndefined();
    await app.close();
  });

  test('is not in the way of a job of any name', async () => {
    expect((await api.get(statusOf('stream'))).status).toBe(404);
    const { status, headers } = await api.send('HEAD', STREAM);
    expect([status, headers.get('Content-Type')]).toEqual([200, 'text/event-stream']);
    expect((await api.post(STREAM, {})).status).toBe(405);
  });

  test.each([
    ['status=done', 'status', 'pending'],
    ['job_type=x', 'job_type', 'general_llm_request'],
    ['model=gpt-0', 'model', 'GET /api/llm/models/'],
    ['limit=0', 'limit', '1 to 100'],
    ['limit=101', 'limit', '1 to 100'],
    ['batch_id=x', 'batch_id', 'UUID'],
    ['tag=', 'tag', 'empty'],
    ['offset=1', 'offset', 'known fields: status, job_type, model, tag, question_id'],
    ['cursor=x', 'cursor', 'known fields'],
    ['created_after=2025-01-18T10:15:30Z', 'created_after', 'known fields'],
    ['ids=x', 'ids', 'known fields'],
  ])('with ?%s is refused, and the field is named', async (query, path, words) => {
    const { status, body } = await api.get(`${STREAM}?${query}`);
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(body.details).toEqual([{ path, message: expect.stringContaining(words) }]);
  });
});
