/** A job as server-sent events over real sockets: as bytes, and through an `EventSource` as pages have it. */
import { EventSource } from 'eventsource';
import { expect, test } from 'vitest';
import { pollToEnd, request, submit } from '../support/http-client.ts';
import { type Heard, openStream, readStream } from '../support/sse-client.ts';

/** How long the targets of this suite keep a stream open. */
export const STREAM_MS = 1_500;
const NAMES = ['snapshot', 'delta', 'status', 'progress', 'reset', 'done'];

const streamed = (prompt: string) => ({ ...request('simulated', prompt), stream: true });
const texts = (heard: readonly Heard[]) => heard.flatMap(({ event, data }) => (event === 'delta' ? [data.text] : []));
const idsOf = (heard: readonly Heard[]) => heard.flatMap(({ id }) => id ?? []);

function expectRising(ids: readonly number[]): void {
  expect(ids).toEqual([...new Set(ids)].sort((left, right) => left - right));
}

export function streamTests(baseUrl: () => string): void {
  test('a stream is a snapshot, deltas that make the result, and one end, with headers that let it through', async () => {
    // Longer than a function that just started takes for its first listener.
    const id = await submit(baseUrl(), streamed('Say 👩‍🔬 漢字 e\u0301. [simulate seconds=4]'));
    const stream = await openStream(baseUrl(), id);
    expect(stream.response.status).toBe(200);
    expect(Object.fromEntries(stream.response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    const heard: Heard[] = [];
    for (let one = await stream.next(); one; one = await stream.next()) heard.push(one);
    // On a busy machine the time of the stream may be over before the job is.
    while (heard.at(-1)?.event !== 'done') {
      heard.push(...(await readStream(baseUrl(), id, { cursor: idsOf(heard).at(-1) ?? 0 })));
    }

    const [first, last] = [heard[0], heard.at(-1)];
    expect(first).toMatchObject({ event: 'snapshot', data: { job_id: id, is_complete: false } });
    expect(last).toMatchObject({ event: 'done', data: { job_id: id, status: 'completed', is_complete: true } });
    expect(texts(heard).length).toBeGreaterThan(1);
    expect(first?.data.partial_result + texts(heard).join('')).toBe(last?.data.result_data.result);
    expectRising(idsOf(heard));
    expect(last?.data).toEqual(await pollToEnd(baseUrl(), id));
    expect(await readStream(baseUrl(), id, { cursor: last?.id ?? 0 })).toEqual([]);
    expect((await openStream(baseUrl(), id, last?.id)).response.status).toBe(204);
  });

  test('a reader that is dropped at every event sees each delta once', async () => {
    const id = await submit(baseUrl(), streamed('Drop me. [simulate seconds=2]'));
    const heard: Heard[] = [];
    let joins = 0;
    for (;;) {
      joins += 1;
      const stream = await openStream(baseUrl(), id, idsOf(heard).at(-1));
      if (stream.response.status === 204) break;
      const one = await stream.next();
      stream.leave();
      if (one) heard.push(one);
    }
    const view = await pollToEnd(baseUrl(), id);
    expect(joins).toBeGreaterThan(5);
    expect(
      heard
        .map(({ event }) => event)
        .slice(1, -1)
        .every((event) => event === 'delta'),
    ).toBe(true);
    expect(heard[0]?.data.partial_result + texts(heard).join('')).toBe(view.result_data?.result);
    expectRising(idsOf(heard));
  });

  test('Q03: an EventSource outlives the ends that the server makes, and stops after the last event', async () => {
    const id = await submit(baseUrl(), streamed('Outlive us. [simulate seconds=3]'));
    const heard: { event: string; id: number; data: string }[] = [];
    let connections = 0;
    const source = new EventSource(`${baseUrl()}/api/llm/jobs/${id}/stream/`);
    source.addEventListener('open', () => {
      connections += 1;
    });
    for (const event of NAMES) {
      source.addEventListener(
        event,
        ({ lastEventId, data }) => void heard.push({ event, id: Number(lastEventId), data }),
      );
    }
    const closed = new Promise<void>((resolve) => {
      source.addEventListener('error', () => source.readyState === EventSource.CLOSED && resolve());
    });
    // It comes back once more after the end, is told 204, and stays away.
    await closed;
    const view = await pollToEnd(baseUrl(), id);
    expect(connections).toBeGreaterThan(1);
    expect(heard.filter(({ event }) => event === 'snapshot')).toHaveLength(1);
    expect(heard.filter(({ event }) => event === 'done')).toHaveLength(1);
    const words = heard.filter(({ event }) => event === 'delta').map(({ data }) => JSON.parse(data).text);
    expect(JSON.parse(heard[0]?.data ?? '{}').partial_result + words.join('')).toBe(view.result_data?.result);
  }, 60_000);

  test.each([
    ['unknown', `${crypto.randomUUID()}`, 404],
    ['malformed', 'nonsense', 404],
  ])('a stream of an %s job is 404 as JSON before any event', async (_, id, status) => {
    const { response } = await openStream(baseUrl(), id);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toContain('application/json');
  });

  test.each(['-1', 'abc', '1.5', '9007199254740993', ''])('starting_after=%s is 400 and names it', async (value) => {
    const id = await submit(baseUrl(), streamed('Hello.'));
    const response = await fetch(`${baseUrl()}/api/llm/jobs/${id}/stream/?starting_after=${value}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'invalid_request',
      details: [{ path: 'starting_after', message: expect.stringContaining('whole number') }],
    });
  });

  test('starting_after is a cursor for who cannot send headers; what was heard last counts more', async () => {
    const id = await submit(baseUrl(), streamed('Hello.'));
    await pollToEnd(baseUrl(), id);
    const open = async (headers: Record<string, string>) => {
      const response = await fetch(`${baseUrl()}/api/llm/jobs/${id}/stream/?starting_after=1000001`, { headers });
      const body = await response.text();
      return [response.status, body.includes('event: snapshot'), body.includes('id: 1000002')];
    };
    expect(await open({})).toEqual([200, false, true]);
    expect(await open({ 'Last-Event-ID': 'of another server' })).toEqual([200, false, true]);
    expect(await open({ 'Last-Event-ID': '1999999' })).toEqual([204, false, false]);
  });

  test('a HEAD of a stream does not stay open', async () => {
    const id = await submit(baseUrl(), streamed('Hello. [simulate seconds=3]'));
    const startedMs = performance.now();
    const response = await fetch(`${baseUrl()}/api/llm/jobs/${id}/stream/`, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect(performance.now() - startedMs).toBeLessThan(STREAM_MS);
  });
}
