/** Standard Webhooks byte for byte: what goes over the wire, verified by those who did not write it. */
import fc from 'fast-check';
import OpenAI from 'openai';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { webhookSender } from '../../shared/adapters/webhook-sender.ts';
import { type RawReceiver, type Received, rawReceiver } from '../support/raw-receiver.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const NEW = 'whsec_bmV3IHNlY3JldCBvZiB0d2VudHktZm91ciBieXRlcyEh';
const OLD = 'whsec_b2xkIHNlY3JldCBvZiB0d2VudHktZm91ciBieXRlcyEh';
const MESSAGE = { id: 'evt_7f3', body: '{"type":"job.completed","data":{"tags":["Prüfung 📝"]}}' };
const openai = new OpenAI({ apiKey: 'none' });

/** Both throw, or reject, at what they do not accept. */
const VERIFIERS: [string, (received: Received, secret: string) => Promise<unknown>][] = [
  ['standardwebhooks', async ({ body, headers }, secret) => new Webhook(secret).verify(body, headers)],
  ['openai', async ({ body, headers }, secret) => openai.webhooks.unwrap(body, headers, secret)],
];

let receiver: RawReceiver;
beforeAll(async () => {
  receiver = await rawReceiver();
});
afterAll(() => receiver.close());

async function sent({
  secrets = [NEW],
  tenant = 'default',
  message = MESSAGE,
  clock = systemClock(),
  traceparent = undefined as string | undefined,
} = {}) {
  const sender = webhookSender({ secrets, hosts: [], allowPrivate: true, clock });
  const url = `http://127.0.0.1:${receiver.port}/hook?to=me`;
  expect(await sender.send({ tenant, url, traceparent }, message)).toMatchObject({ delivered: true, status: 200 });
  return receiver.received.at(-1) as Received;
}

test('the vector of the standard’s own libraries, and nothing else on the wire', async () => {
  const { text } = await sent({
    secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    message: { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' },
    clock: virtualClock(1_614_265_330_999),
  });
  expect(text.split('\r\n')).toEqual([
    'POST /hook?to=me HTTP/1.1',
    'content-type: application/json',
    'user-agent: llm-jobs',
    'webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp: 1614265330',
    'webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    `Host: 127.0.0.1:${receiver.port}`,
    'Connection: close',
    'Content-Length: 20',
    '',
    '{"test": 2432232314}',
  ]);
});

describe.each(VERIFIERS)('%s', (_, verify) => {
  test('accepts what we send', async () => {
    expect(await verify(await sent(), NEW)).toEqual(JSON.parse(MESSAGE.body));
  });

  test('accepts it with the trace of its job, which no signature is about', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const received = await sent({ traceparent });
    expect(received.headers.traceparent).toBe(traceparent);
    expect(await verify(received, NEW)).toEqual(JSON.parse(MESSAGE.body));
  });

  test.each([NEW, OLD])('accepts it with either of two secrets: %s', async (secret) => {
    const received = await sent({ secrets: [NEW, OLD] });
    expect(received.headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}= v1,[A-Za-z0-9+/]{43}=$/);
    expect(await verify(received, secret)).toEqual(JSON.parse(MESSAGE.body));
  });

  test('refuses it with a secret that is no longer ours', async () => {
    await expect(verify(await sent({ secrets: [NEW] }), OLD)).rejects.toThrow(/signature/i);
  });

  test.each<[string, (received: Received) => Received]>([
    ['body', (received) => ({ ...received, body: received.body.replace('completed', 'failed') })],
    ['id', ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, 'webhook-id': 'evt_7f4' } })],
    [
      'timestamp',
      ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, 'webhook-timestamp': later(headers) } }),
    ],
    ['signature', ({ headers, ...rest }) => ({ ...rest, headers: { ...headers, 'webhook-signature': 'v1,AAAA' } })],
  ])('refuses it with another %s', async (_, change) => {
    await expect(verify(change(await sent()), NEW)).rejects.toThrow(/signature/i);
  });

  test('refuses one that was sent ten minutes ago', async () => {
    const received = await sent({ clock: virtualClock(Date.now() - 600_000) });
    await expect(verify(received, NEW)).rejects.toThrow(/too old/);
  });

  test('accepts what another tenant is sent with their secret, and with no one else’s', async () => {
    const received = await sent({ secrets: [NEW, OLD], tenant: 'acme' });
    const secretsOf = webhookSender({
      secrets: [NEW, OLD],
      hosts: [],
      allowPrivate: true,
      clock: systemClock(),
    }).secretsOf;
    for (const secret of secretsOf('acme')) expect(await verify(received, secret)).toEqual(JSON.parse(MESSAGE.body));
    for (const secret of [...secretsOf('acme2'), NEW, OLD]) {
      await expect(verify(received, secret)).rejects.toThrow(/signature/i);
    }
  });
});

test('the timestamp is of the try, not of the message', async () => {
  const clock = virtualClock();
  const first = await sent({ clock });
  await clock.advance(5_000);
  const second = await sent({ clock });
  expect(later(first.headers)).toBe(second.headers['webhook-timestamp']);
  expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
  expect(second.body).toBe(first.body);
});

test('no two tenants share a secret; `default` has them as they are', () => {
  const { secretsOf } = webhookSender({ secrets: [NEW, OLD], hosts: [], allowPrivate: true, clock: systemClock() });
  expect(secretsOf('default')).toEqual([NEW, OLD]);
  const tenants = fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(tenants, (names) => {
      const secrets = names.flatMap(secretsOf);
      expect(new Set(secrets).size).toBe(names.length * 2);
      expect(secrets.filter((secret) => !/^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/.test(secret))).toEqual([]);
      expect(names.flatMap(secretsOf)).toEqual(secrets);
    }),
    { numRuns: 25 },
  );
});

function later(headers: Received['headers']): string {
  return String(Number(headers['webhook-timestamp']) + 5);
}
