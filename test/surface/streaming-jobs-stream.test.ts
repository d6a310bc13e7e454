/** The streams of seed 001: the document's transcript, and readers who come, go and come back at any moment. */
import { afterEach, describe, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { sleep } from '../../shared/core/ports.ts';
import { jobService } from '../../shared/core/service.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { cancelOf, general, SUBMIT } from '../support/app.ts';
import { FINISH, NO_PROVIDERS } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';
import { eventsIn, joined, STEP_MS, type StreamingWorld, saying, streamingWorld, WORDS } from './streaming-world.ts';

/** As it stands in the document. */
const TRANSCRIPT = `data: {"token":"Once"}

data: {"token":" upon"}

data: {"token":" a"}

data: {"token":" time"}

event: metrics
data: {"durationMs":2500,"tokenCount":42}

`;
const TEXT = WORDS.join('');
const METRICS = { event: 'metrics', id: '1999999', data: { durationMs: 2_500, tokenCount: 42 } };

let api: StreamingWorld;
afterEach(() => api.close());

function open(generate?: Parameters<typeof streamingWorld>[0]): StreamingWorld {
  api = streamingWorld(generate);
  return api;
}

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};

async function completed(): Promise<string> {
  const id = await open().create();
  await api.run(id);
  return id;
}

test("is the document's transcript, word for word, but for the lines by which a client comes back", async () => {
  const id = await open().create();
  void api.world.run({ tenant: 'default', id });
  const { status, headers, text } = await api.stream(id);
  expect(status).toBe(200);
  expect(Object.fromEntries(headers)).toMatchObject(HEADERS);
  expect(text.replace(/^retry: \d+\n\n/, '').replaceAll(/^id: \d+\n/gm, '')).toBe(TRANSCRIPT);
  expect(eventsIn(text)).toEqual([
    ...WORDS.map((token, index) => ({ id: String(1_000_001 + index), data: { token } })),
    METRICS,
  ]);
});

test('a stream is kept by nobody on its way to a page of another origin, too', async () => {
  const id = await completed();
  const { headers } = await api.stream(id, { Origin: 'http://localhost:5173' });
  const expected = { ...HEADERS, 'access-control-allow-origin': 'http://localhost:5173' };
  expect(Object.fromEntries(headers)).toMatchObject(expected);
});

describe('a reader gets every token from the start, who comes', () => {
  test.each([0, 1, STEP_MS, 1.5 * STEP_MS, 2 * STEP_MS, 3.5 * STEP_MS, 4 * STEP_MS, 9 * STEP_MS])(
    '%d ms after the start',
    async (ms) => {
      const id = await open().create();
      const running = api.world.run({ tenant: 'default', id });
      await api.world.clock.advance(ms);
      const events = await api.events(id);
      expect(joined(events)).toBe(TEXT);
      expect(events.at(-1)).toEqual(METRICS);
      expect(events.map(({ event }) => event).slice(0, -1)).toEqual(events.slice(1).map(() => undefined));
      await api.world.clock.until(running);
      expect((await api.get(`/jobs/${id}`)).body.result).toBe(TEXT);
    },
  );

  test('before the start', async () => {
    const id = await open().create();
    const reading = api.app.request(`/jobs/${id}/stream`);
    await api.world.clock.advance(20_000);
    void api.world.run({ tenant: 'default', id });
    const response = await api.world.clock.until(Promise.resolve(reading));
    const events = eventsIn(await api.world.clock.until(response.text()));
    expect(events.flatMap(({ data }) => data.token ?? [])).toEqual(WORDS);
    expect(events.at(-1)).toEqual(METRICS);
  });

  test('long after the end, when what was kept of the stream is gone', async () => {
    const id = await completed();
    await api.world.chunks.remove({ tenant: 'default', id });
    expect(await api.events(id)).toEqual([{ id: '1000004', data: { token: TEXT } }, METRICS]);
  });

  test('to a job whose tokens were not kept: its text comes whole, at the end', async () => {
    open();
    const { body } = await api.post(SUBMIT, general({ prompt: 'Hello.' }, 'gpt-4'));
    void api.world.run({ tenant: 'default', id: body.job_id });
    const [token, ...rest] = await api.events(body.job_id);
    expect([token?.data, rest]).toEqual([{ token: TEXT }, [METRICS]]);
    // Before the metrics, or after them.
    expect(await api.events(body.job_id, token?.id)).toEqual([METRICS]);
    expect((await api.stream(body.job_id, { 'Last-Event-ID': METRICS.id })).status).toBe(204);
    expect(joined(await api.events(body.job_id))).toBe(TEXT);
  });
});

describe('a reader who comes back', () => {
  test('with any cursor gets what comes after it, once; with that of the end 204', async () => {
    const id = await completed();
    const ids = [...WORDS.map((_, index) => String(1_000_001 + index))];
    for (const [index, cursor] of ids.entries()) {
      const events = await api.events(id, cursor);
      expect(events.map(({ data }) => data.token)).toEqual([...WORDS.slice(index + 1), undefined]);
      expect(events.at(-1)).toEqual(METRICS);
    }
    const over = await api.stream(id, { 'Last-Event-ID': METRICS.id });
    expect([over.status, over.text]).toEqual([204, '']);
  });

  test('with one that is none begins anew', async () => {
    const id = await completed();
    for (const cursor of ['', 'abc', '-1', '99999999999999999']) {
      expect(await api.events(id, cursor)).toEqual([{ id: '1000004', data: { token: TEXT } }, METRICS]);
    }
  });

  test('when what it has not is gone is told to drop what it has', async () => {
    const id = await completed();
    await api.world.chunks.remove({ tenant: 'default', id });
    // A process that has not heard it.
    const service = jobService({
      ...api.world,
      models: modelCatalog({ ...NO_PROVIDERS, clock: api.world.clock }),
      wakeShards: 1,
    });
    const app = appOver(api.world, { service });
    const headers = { 'Last-Event-ID': '1000002' };
    const response = await api.world.clock.until(Promise.resolve(app.request(`/jobs/${id}/stream`, { headers })));
    const events = eventsIn(await api.world.clock.until(response.text()));
    expect(events).toEqual([
      { event: 'reset', data: { attempt: 1 } },
      { id: '1000004', data: { token: TEXT } },
      METRICS,
    ]);
    service.close();
  });
});

describe('a job that fails', () => {
  const refusing = (after: number) =>
    async function* () {
      yield* WORDS.slice(0, after).map((text) => ({ type: 'text-delta' as const, text }));
      throw new ServiceError('auth', 'The provider does not accept our API key.');
    };
  const ERROR = { event: 'error', data: { error: 'The provider does not accept our API key.', code: 'auth' } };

  test('ends its stream with the error, in the lines that a client reads', async () => {
    const id = await open(refusing(0)).create();
    void api.world.run({ tenant: 'default', id });
    const { status, text } = await api.stream(id);
    expect(status).toBe(200);
    expect(text).toBe(
      'retry: 2000\n\nevent: error\ndata: {"error":"The provider does not accept our API key.","code":"auth"}\nid: 1999999\n\n',
    );
    expect((await api.stream(id, { 'Last-Event-ID': '1999999' })).status).toBe(204);
    expect((await api.get(`/jobs/${id}`)).body).toMatchObject({ status: 'failed' });
  });

  test('shows the tokens that came before the error, to those who come later, too', async () => {
    const id = await open(refusing(2)).create();
    void api.world.run({ tenant: 'default', id });
    for (const _ of ['there', 'late']) {
      const events = await api.events(id);
      expect(joined(events)).toBe('Once upon');
      expect(events.at(-1)).toMatchObject(ERROR);
    }
  });

  test('is tried again, and then the tokens so far are void', async () => {
    let calls = 0;
    const id = await open(async function* () {
      calls += 1;
      yield { type: 'text-delta', text: calls === 1 ? 'Twice' : 'Once' };
      await sleep(api.world.clock, STEP_MS);
      if (calls === 1) throw new ServiceError('overloaded', 'The provider is overloaded.');
      yield FINISH;
    }).create();
    void api.world.run({ tenant: 'default', id });
    expect(await api.events(id)).toEqual([
      { id: '1000001', data: { token: 'Twice' } },
      { event: 'reset', id: '2000000', data: { attempt: 2 } },
      { id: '2000001', data: { token: 'Once' } },
      // The provider told no usage.
      { event: 'metrics', id: '2999999', data: { durationMs: expect.any(Number) } },
    ]);
    expect(calls).toBe(2);
    expect(joined(await api.events(id))).toBe('Once');
  });

  test('because it was cancelled says so', async () => {
    const id = await open().create();
    expect((await api.send('POST', cancelOf(id))).status).toBe(200);
    expect(await api.events(id)).toEqual([
      { event: 'error', id: '999999', data: { error: 'The job was cancelled.', code: 'cancelled' } },
    ]);
    expect((await api.stream(id, { 'Last-Event-ID': '999999' })).status).toBe(204);
  });
});

test('a token is any text', async () => {
  const words = ['👩‍🔬', '"quoted"\n\nid: 7\n', '\r\ndata: x', '漢字 ', ''];
  const id = await open(saying(words, () => api.world)).create();
  void api.world.run({ tenant: 'default', id });
  const events = await api.events(id);
  expect(joined(events)).toBe(words.join(''));
  expect(joined(await api.events(id))).toBe(words.join(''));
  expect((await api.get(`/jobs/${id}`)).body.result).toBe(words.join(''));
});

test('a HEAD has no events, and nobody else hears any of a job that is not there', async () => {
  const id = await open().create();
  const head = await api.stream(id, {}, 'HEAD');
  expect([head.status, head.headers.get('content-type'), head.text]).toEqual([200, 'text/event-stream', '']);
  for (const other of [crypto.randomUUID(), 'nonsense', '__proto__']) {
    const { status, headers, text } = await api.stream(other);
    expect([status, text]).toEqual([404, '{"error":"Job not found"}']);
    expect(headers.get('content-type')).toContain('application/json');
  }
});
