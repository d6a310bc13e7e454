/**
 * To where webhooks really go when their URL looks harmless: names whose addresses are not, names that change them,
 * receivers that send elsewhere, certificates. `127.0.0.1` counts as public here; all else is as IANA has it.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { isPublicAddress } from '../../shared/adapters/webhook-addresses.ts';
import { dnsLookup } from '../../shared/adapters/webhook-lookup.ts';
import { type WebhookSenderOptions, webhookSender } from '../../shared/adapters/webhook-sender.ts';
import { CERTIFICATE, CERTIFIED_HOST } from '../support/certificate.ts';
import { nameServer, type Says } from '../support/name-server.ts';
import { outboundOf } from '../support/outbound.ts';
import { type RawReceiver, rawReceiver } from '../support/raw-receiver.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const METADATA = '169.254.169.254';
const MESSAGE = { id: 'evt_1', body: '{}' };
const NOT_PUBLIC = {
  ...{ delivered: false, failure: 'refused', ms: expect.any(Number) },
  message: 'The name of the host leads to an address that is not public.',
};

let receiver: RawReceiver;
beforeEach(async () => {
  receiver = await rawReceiver({ tls: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await receiver.close();
});

function senderWith(options: Partial<WebhookSenderOptions> = {}) {
  const sender = webhookSender({
    ...{ secrets: ['whsec_bmV3IHNlY3JldCBvZiB0d2VudHktZm91ciBieXRlcyEh'], hosts: [], allowPrivate: false },
    ...{ clock: systemClock(), ca: CERTIFICATE, lookup: async () => ['127.0.0.1'] },
    isPublic: (address) => address === '127.0.0.1' || isPublicAddress(address),
    ...options,
  });
  return {
    send: (host = CERTIFIED_HOST, port = receiver.port) =>
      sender.send({ tenant: 'default', url: `https://${host}:${port}/hook?token=query-secret` }, MESSAGE),
  };
}

/** Answers each question with the next of these, and the last one ever after. */
function scripted(...answers: string[][]) {
  const asked: string[] = [];
  const lookup = async (name: string) => {
    asked.push(name);
    return answers[Math.min(asked.length, answers.length) - 1] as string[];
  };
  return { asked, lookup };
}

test('a public host is called, over TLS, by its name; its name is resolved once', async () => {
  const { asked, lookup } = scripted(['127.0.0.1'], [METADATA]);
  expect(await senderWith({ lookup }).send()).toMatchObject({ delivered: true, status: 200 });
  expect(asked).toEqual([CERTIFIED_HOST]);
  expect(receiver.received).toMatchObject([{ headers: { host: `${CERTIFIED_HOST}:${receiver.port}` } }]);
});

test('a name that leads elsewhere the next time is refused then', async () => {
  const { asked, lookup } = scripted(['127.0.0.1'], [METADATA], ['127.0.0.1']);
  const { send } = senderWith({ lookup });
  expect(await send()).toMatchObject({ delivered: true });
  expect(await outboundOf(async () => expect(await send()).toEqual(NOT_PUBLIC))).toEqual([]);
  expect(receiver.connections()).toBe(1);
  expect(await send()).toMatchObject({ delivered: true });
  expect(asked).toHaveLength(3);
});

test.each([
  [[METADATA]],
  [['127.0.0.1', METADATA]],
  [[METADATA, '127.0.0.1']],
  [['8.8.8.8', '10.0.0.1']],
  [['2606:4700::1111', 'fd20:ce::254']],
  [['127.0.0.2']],
  [['0.0.0.0']],
  [['::1']],
  [['::']],
  [['::ffff:169.254.169.254']],
  [['::ffff:a9fe:a9fe']],
  [['::ffff:127.0.0.1']],
  [['127.0.0.1', '::ffff:7f00:1']],
  [['::169.254.169.254']],
  [['64:ff9b::a9fe:a9fe']],
  [['2002:a9fe:a9fe::1']],
  [['2001:0:a9fe:a9fe::1']],
  [['fe80::1%eth0']],
  [['fd00:ec2::254']],
  [['100.100.100.200']],
  [['2130706433']],
  [['localhost']],
  [['']],
])('a name that leads to %j is refused, and nobody called', async (addresses) => {
  const { send } = senderWith({ lookup: async () => addresses });
  expect(await outboundOf(async () => expect(await send()).toEqual(NOT_PUBLIC))).toEqual([]);
  expect(receiver.connections()).toBe(0);
});

test('a name with very many addresses has a few of each family called, and no more', async () => {
  const { port } = receiver;
  await receiver.close();
  const many = Array.from({ length: 100 }, (_, n) => [`127.0.1.${n + 1}`, `::ffff:127.0.1.${n + 1}`]).flat();
  const { send } = senderWith({ lookup: async () => many, isPublic: () => true });
  const outbound = await outboundOf(async () =>
    expect(await send(CERTIFIED_HOST, port)).toMatchObject({ delivered: false }),
  );
  expect(outbound).toHaveLength(8);
  receiver = await rawReceiver({ tls: true });
});

test('an address that turns out not to be public when it is connected to gets no byte of HTTP', async () => {
  const judged: string[] = [];
  const isPublic = (address: string) => judged.push(address) === 1;
  expect(await senderWith({ isPublic }).send()).toEqual(NOT_PUBLIC);
  expect(judged).toEqual(['127.0.0.1', '127.0.0.1']);
  expect(receiver.connections()).toBe(1);
  expect(receiver.received).toEqual([]);
});

describe('a name that cannot be resolved', () => {
  const UNRESOLVED = 'The name of the host could not be resolved';
  const failing = (code?: string) => async () => {
    throw Object.assign(new Error('getaddrinfo of query-secret'), code === undefined ? {} : { code });
  };

  test.each<[string, WebhookSenderOptions['lookup'], string]>([
    ['no address', async () => [], `${UNRESOLVED}.`],
    ['no such name', failing('ENOTFOUND'), `${UNRESOLVED} (ENOTFOUND).`],
    ['try again', failing('EAI_AGAIN'), `${UNRESOLVED} (EAI_AGAIN).`],
    ['a name server that does not answer', failing('ETIMEOUT'), `${UNRESOLVED} (ETIMEOUT).`],
    ['nobody to ask', failing('ECONNREFUSED'), `${UNRESOLVED} (ECONNREFUSED).`],
    ['anything else', failing(), `${UNRESOLVED}.`],
  ])('%s', async (_, lookup, message) => {
    const { send } = senderWith({ lookup: lookup as NonNullable<typeof lookup> });
    const sent = { delivered: false, failure: 'network', message, ms: expect.any(Number) };
    expect(await outboundOf(async () => expect(await send()).toEqual(sent))).toEqual([]);
  });

  test('in time is given up, and not called when its address comes after all', async () => {
    const clock = virtualClock();
    let answer = (_: string[]) => {};
    const lookup = () =>
      new Promise<string[]>((resolve) => {
        answer = resolve;
      });
    const sending = senderWith({ clock, lookup }).send();
    await clock.advance(14_999);
    expect(await Promise.race([sending, 'waiting'])).toBe('waiting');
    await clock.advance(1);
    const message = 'The receiver did not answer within 15 seconds.';
    expect(await sending).toEqual({ delivered: false, failure: 'timeout', message, ms: 15_000 });
    answer(['127.0.0.1']);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(receiver.connections()).toBe(0);
  });
});

describe('with a real name server', () => {
  async function sent(says: (family: 4 | 6, turn: number) => Says, times = 1) {
    const server = await nameServer((family) => says(family, Math.ceil(server.asked.length / 2)));
    const { send } = senderWith({ lookup: dnsLookup([server.address]) });
    const answers = [];
    for (let turn = 0; turn < times; turn++) answers.push(await send());
    await server.close();
    return { answers, asked: server.asked.sort() };
  }

  test('the name is resolved once, for both families', async () => {
    const { answers, asked } = await sent((family) => (family === 4 ? ['127.0.0.1'] : []));
    expect(answers).toMatchObject([{ delivered: true }]);
    expect(asked).toEqual([`4 ${CERTIFIED_HOST}`, `6 ${CERTIFIED_HOST}`]);
  });

  test('rebinding is refused', async () => {
    const { answers } = await sent((_, turn) => (turn === 1 ? ['127.0.0.1'] : [METADATA]), 2);
    expect(answers).toEqual([expect.objectContaining({ delivered: true }), NOT_PUBLIC]);
    expect(receiver.connections()).toBe(1);
  });

  test.each<[string, Says]>([
    ['one of several', ['127.0.0.1', METADATA]],
    ['the other family', ['127.0.0.1', '::1']],
    ['a mapped one', ['::ffff:169.254.169.254']],
  ])('an address that is not public is refused: %s', async (_, says) => {
    expect((await sent(() => says)).answers).toEqual([NOT_PUBLIC]);
    expect(receiver.connections()).toBe(0);
  });

  test('is how names are resolved, unless private ones are allowed', async () => {
    const clock = virtualClock();
    const sender = webhookSender({ secrets: [], hosts: [], allowPrivate: false, clock });
    const outbound = await outboundOf(async () => {
      const sending = sender.send({ tenant: 'default', url: 'https://nobody.invalid/' }, MESSAGE);
      await clock.advance(15_000);
      expect(await sending).toMatchObject({ delivered: false });
    });
    expect(outbound).toEqual(['QUERYWRAP', 'QUERYWRAP']);
  });

  test('a name that does not exist is not called', async () => {
    const message = 'The name of the host could not be resolved (ENOTFOUND).';
    expect((await sent(() => 'no-such-name')).answers).toMatchObject([{ failure: 'network', message }]);
  });
});

describe('a receiver that sends elsewhere', () => {
  test.each([300, 301, 302, 303, 304, 305, 307, 308, 399])('by %i is not followed', async (status) => {
    const elsewhere = await rawReceiver();
    const places = [`http://127.0.0.1:${elsewhere.port}/`, `http://${METADATA}/computeMetadata/v1/`];
    for (const place of places) {
      receiver.answers((socket) =>
        socket.end(`HTTP/1.1 ${status} Elsewhere\r\nlocation: ${place}\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n`),
      );
      const { send } = senderWith();
      const outbound = await outboundOf(async () =>
        expect(await send()).toEqual({
          ...{ delivered: false, failure: 'redirect', status, retryAfterMs: 9_000, ms: expect.any(Number) },
          message: `The receiver answered ${status}, and redirects are not followed.`,
        }),
      );
      expect(outbound).toEqual(['TCPCONNECTWRAP']);
    }
    expect(receiver.received).toHaveLength(places.length);
    expect(elsewhere.connections()).toBe(0);
    await elsewhere.close();
  });
});

describe('TLS', () => {
  const untrusted = (code: string) => ({
    ...{ delivered: false, failure: 'network', ms: expect.any(Number) },
    message: `The receiver's certificate is not trusted (${code}).`,
  });

  test('a certificate that nobody well-known signed is not trusted', async () => {
    const { send } = senderWith({ ca: '' });
    expect(await send()).toEqual(untrusted('DEPTH_ZERO_SELF_SIGNED_CERT'));
    expect(receiver.received).toEqual([]);
  });

  test('nor is it where the environment trusts all', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    // Node warns of it, as it should.
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { send } = senderWith({ ca: '' });
    expect(await send()).toEqual(untrusted('DEPTH_ZERO_SELF_SIGNED_CERT'));
    warned.mockRestore();
  });

  test('nor is one of another name', async () => {
    expect(await senderWith().send('other.example.com')).toEqual(untrusted('ERR_TLS_CERT_ALTNAME_INVALID'));
    expect(receiver.received).toEqual([]);
  });

  test('a receiver without it gets nothing', async () => {
    let requests = 0;
    const plain = createServer((_, response) => response.end(String(++requests))).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const connected = once(plain, 'connection');
    const { port } = plain.address() as AddressInfo;
    const message = expect.stringMatching(/^No TLS connection could be made \(E[A-Z_]+\)\.$/);
    expect(await senderWith().send(CERTIFIED_HOST, port)).toMatchObject({ failure: 'network', message });
    await connected;
    expect(requests).toBe(0);
    plain.close();
  });
});
