/** The tolerant decoder: one message in every envelope that Pub/Sub, Eventarc and the framework make. */
import { describe, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { logContext } from '../../shared/adapters/opentelemetry-under-way.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import {
  decodeDoorbell,
  doorbellHandler,
  encodeDoorbell,
  type PushHandler,
  respondToPush,
} from '../../shared/http/push.ts';

const ID = 'c7dbf19c-2bf5-4238-a1e8-6f9cb3edfb1a';
const KEY = { tenant: 'default', id: ID };
const data = (content: unknown) =>
  Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64');
const DATA = data({ tenant: 'default', job_id: ID });

describe('a doorbell is found in', () => {
  test.each([
    [
      'a raw push, and the body of a binary CloudEvent',
      { message: { data: DATA, messageId: '1', publishTime: 't' }, subscription: 's', deliveryAttempt: 2 },
    ],
    [
      'a push of the emulator, which has both spellings',
      { message: { data: DATA, message_id: '1', messageId: '1' }, subscription: 's' },
    ],
    [
      'a structured CloudEvent',
      { specversion: '1.0', id: '1', type: 't', source: 's', data: { message: { data: DATA }, subscription: 's' } },
    ],
    [
      'what the framework makes of a push',
      {
        specversion: '1.0',
        data: { message: { '@type': 'type.googleapis.com/PubsubMessage', data: DATA, attributes: {} } },
      },
    ],
    ['our own encoding', encodeDoorbell(KEY, '1', 1)],
  ])('%s', (_, body) => {
    expect(decodeDoorbell(body)).toEqual(KEY);
  });
});

const UNREADABLE: [string, unknown][] = [
  ['nothing', undefined],
  ['another body', { hello: 'world' }],
  ['a message without data', { message: { messageId: '1' } }],
  ['data that is not JSON', { message: { data: data('{') } }],
  ['JSON that is no doorbell', { message: { data: data({ job: 1 }) } }],
  ['a doorbell with an id that no job can have', { message: { data: data({ tenant: 'default', job_id: 'a/b' }) } }],
  ['a doorbell with a wrong type', { message: { data: data({ tenant: 1, job_id: ID }) } }],
];

test.each(UNREADABLE)('%s is acknowledged, logged, and runs nothing', async (_, body) => {
  const events: string[] = [];
  const handle = doorbellHandler({
    run: () => Promise.reject(new Error('must not run')),
    log: (severity, event) => events.push(`${severity} ${event}`),
  });
  expect(await handle(body)).toBe(true);
  expect(events).toEqual(['error message-unreadable']);
});

test.each([
  ['a job that was run', async () => ({ finished: 'completed' }) as const, 204],
  ['a job that somebody else holds', async () => ({ refused: 'leased' }) as const, 204],
  ['a store that gave no answer', () => Promise.reject(new ServiceError('store_unavailable', '')), 503],
])('%s is answered %s', async (_, run, status) => {
  const handle = doorbellHandler({ run, log: () => {} });
  const request = new Request('http://worker/', { method: 'POST', body: JSON.stringify(encodeDoorbell(KEY, '1', 1)) });
  expect((await respondToPush(request, handle)).status).toBe(status);
});

test('a body that is not JSON is acknowledged, for it never will be', async () => {
  const handle = doorbellHandler({ run: () => Promise.reject(new Error('must not run')), log: () => {} });
  const request = new Request('http://worker/', { method: 'POST', body: '{' });
  expect((await respondToPush(request, handle)).status).toBe(204);
});

test('a body that broke off, or came too slowly, is asked for again: its message is lost otherwise', async () => {
  const handle: PushHandler = () => Promise.reject(new Error('must not be asked'));
  const body = new ReadableStream({
    pull: (controller) => controller.error(new Error('the connection is gone')),
  });
  const request = new Request('http://worker/', {
    ...{ method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } },
    duplex: 'half',
  } as RequestInit);
  expect((await respondToPush(request, handle)).status).toBe(503);
});

test('a body that is larger than any message is acknowledged', async () => {
  const bodies: unknown[] = [];
  const handle: PushHandler = async (body) => bodies.push(body) > 0;
  const request = new Request('http://worker/', { method: 'POST', body: ' '.repeat(15 * 1024 * 1024 + 1) });
  expect((await respondToPush(request, handle)).status).toBe(204);
  expect(bodies).toEqual([undefined]);
});

test.each(['draining', 'newer-version'] as const)(
  'a job that is for another instance is rung again: %s',
  async (refused) => {
    const handle = doorbellHandler({ run: async () => ({ refused }), log: () => {} });
    const request = (body: unknown) => new Request('http://127.0.0.1/', { method: 'POST', body: JSON.stringify(body) });
    expect((await respondToPush(request(encodeDoorbell(KEY, '1', 1)), handle)).status).toBe(503);
  },
);

test.each<[traceparent: string, traceId: string | undefined]>([
  ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '0af7651916cd43dd8448eb211c80319c'],
  ...['', 'x\r\ny: z', `00-${'A'.repeat(32)}-b7ad6b7169203331-01`, `01-${'a'.repeat(10_000)}`].map(
    (hostile): [string, undefined] => [hostile, undefined],
  ),
])('a doorbell is of the trace that its message names (%j), or of one of its own', async (traceparent, traceId) => {
  let seen: ReturnType<typeof logContext>;
  const run = async () => {
    seen = logContext();
    return { finished: 'completed' } as const;
  };
  const tracing = opentelemetryTracing();
  const ring = doorbellHandler({ run, log: () => undefined, tracing });
  const message = { data: DATA, messageId: '1', attributes: { googclient_traceparent: traceparent } };
  // What brought it has facts of its own.
  const answer = await tracing.span('push', { facts: { request_id: 'r' } }, () => ring({ message }));
  expect(answer).toBe(true);
  expect(seen?.facts).toEqual({ job_id: ID });
  if (traceId) expect(seen?.traceId).toBe(traceId);
  else expect(traceparent).not.toContain(seen?.traceId);
});
