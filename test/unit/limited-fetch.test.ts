/** What of a stream of events reaches an SDK, and that it can be ended. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { limitedFetch } from '../../shared/llm/providers/limited-fetch.ts';

/** What comes through of a body that arrives in these pieces. */
async function through(...pieces: string[]): Promise<string[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
  const headers = { 'content-type': 'text/event-stream' };
  const response = await limitedFetch(async () => new Response(body, { headers }))('http://provider');
  const passed: string[] = [];
  for await (const chunk of response.body ?? []) passed.push(Buffer.from(chunk).toString());
  return passed;
}

test('events are passed on whole, with what stands among them', async () => {
  expect(await through('da', 'ta: 1\n', '\nevent: a\n\n: b\r', '\n\r\n', 'id: 3\ndata: 4\r\r')).toEqual([
    'data: 1\n\nevent: a\n\n',
    'id: 3\ndata: 4\r\r',
  ]);
  // The other half of an empty line.
  expect(await through('data: 1\r\n\r', '\n', 'data: 2\r\n\r\n')).toEqual(['data: 1\r\n\r', '\n', 'data: 2\r\n\r\n']);
  expect(await through('\u{feff}data: 1\n\n')).toEqual(['\u{feff}data: 1\n\n']);
  expect(await through(': a\n\ndata: 1\n\n: b\n\n')).toEqual([': a\n\ndata: 1\n\n: b\n\n']);
});

test('comments alone are not: an SDK would keep them until an event comes', async () => {
  const comments = Array.from({ length: 1_000 }, () => ': data\n\n');
  expect(await through(...comments, 'id: 1\nretry: 2\n\n', 'data: 1\n\n', ': event\n\n')).toEqual(['data: 1\n\n']);
});

test('what is left at the end without an empty line is passed on if it holds data', async () => {
  expect(await through('data: 1\n\n', 'data: 2\n')).toEqual(['data: 1\n\n', 'data: 2\n']);
  expect(await through('data: 1\n\n', ': the end')).toEqual(['data: 1\n\n']);
});

test('what is called a stream of events and is none is passed on as it is', async () => {
  expect(await through('{"text":"a"}\n{"te', 'xt":"b"}\n')).toEqual(['{"text":"a"}\n{"text":"b"}\n']);
});

test('of many events at once few are passed on together; a large one is whole', async () => {
  const event = (n: number, bytes = 20) => `data: ${n} ${'x'.repeat(bytes)}\r\n\r\n`;
  const events = [...Array.from({ length: 2_000 }, (_, n) => event(n)), event(-1, 20_000), event(-2)];
  const passed = await through(events.join(''));
  expect(passed.join('')).toBe(events.join(''));
  const [large, ...others] = passed.toSorted((a, b) => b.length - a.length);
  expect(large).toContain(event(-1, 20_000).trim());
  expect(Math.max(...others.map(({ length }) => length))).toBeLessThanOrEqual(4_096);
  // And neither one by one.
  expect(others.length).toBeGreaterThan(10);
  expect(others.length).toBeLessThan(50);
});

test('others have their turn while an answer comes as fast as it is read', async () => {
  let [turns, isOver] = [0, false];
  const turn = () => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  // What is left out is read in one go, too.
  await through(...Array.from({ length: 100 }, () => `: ${'x'.repeat(32 * 1_024)}\n\n`), 'data: 1\n\n');
  isOver = true;
  expect(turns).toBeGreaterThan(10);
});

test('an answer is broken off also when garbage was collected since it began', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  let closed: Promise<unknown> | undefined;
  const server = createServer((_, response) => {
    closed = once(response, 'close');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const abort = new AbortController();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const reader = (
    await limitedFetch(fetch)(url, { method: 'POST', body: '{}', signal: abort.signal })
  ).body?.getReader();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('data: 1\n\n');
  const next = reader?.read();
  for (let n = 0; n < 5; n++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  abort.abort();
  await expect(next).rejects.toMatchObject({ name: 'AbortError' });
  await closed;
  server.close();
});
