/** Where webhooks must not go, as the URL tells: refused when a job is submitted, and again at each try, without a call. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { webhookSender } from '../../shared/adapters/webhook-sender.ts';
import { outboundOf } from '../support/outbound.ts';
import { type RawReceiver, rawReceiver } from '../support/raw-receiver.ts';

const SECRETS = ['whsec_bmV3IHNlY3JldCBvZiB0d2VudHktZm91ciBieXRlcyEh'];
const MESSAGE = { id: 'evt_1', body: '{}' };
const ADDRESS = 'must name a public host, not such an address';
const INSIDE = 'must name a public host, not one that only its own network knows';
const NO_HTTPS = 'must be an https URL';

function senderTo({ hosts = [] as string[], allowPrivate = false } = {}) {
  return webhookSender({ secrets: SECRETS, hosts, allowPrivate, clock: systemClock() });
}

let receiver: RawReceiver;
beforeAll(async () => {
  receiver = await rawReceiver();
});
afterAll(() => receiver.close());

/** `PORT`: where somebody listens on this machine. */
const HOSTILE: [string, string][] = [
  // This machine, in each way to write it.
  ['https://127.0.0.1:PORT/', ADDRESS],
  ['https://127.1:PORT/', ADDRESS],
  ['https://127.0.1:PORT/', ADDRESS],
  ['https://2130706433:PORT/', ADDRESS],
  ['https://0x7f000001:PORT/', ADDRESS],
  ['https://0x7F.0.0x0.1:PORT/', ADDRESS],
  ['https://017700000001:PORT/', ADDRESS],
  ['https://0177.0.0.01:PORT/', ADDRESS],
  ['https://127.0.0.1.:PORT/', ADDRESS],
  ['https://%31%32%37.0.0.1:PORT/', ADDRESS],
  ['https://①②⑦.⓪.⓪.①:PORT/', ADDRESS],
  ['https://127。0。0。1:PORT/', ADDRESS],
  ['https://127.255.255.254:PORT/', ADDRESS],
  ['https://0:PORT/', ADDRESS],
  ['https://0.0.0.0:PORT/', ADDRESS],
  ['https://0.1.2.3:PORT/', ADDRESS],
  ['https://[::1]:PORT/', ADDRESS],
  ['https://[0:0:0:0:0:0:0:1]:PORT/', ADDRESS],
  ['https://[::]:PORT/', ADDRESS],
  ['https://[::127.0.0.1]:PORT/', ADDRESS],
  ['https://[::ffff:127.0.0.1]:PORT/', ADDRESS],
  ['https://[::ffff:7f00:1]:PORT/', ADDRESS],
  ['https://[::ffff:0:127.0.0.1]:PORT/', ADDRESS],
  ['https://[64:ff9b::127.0.0.1]:PORT/', ADDRESS],
  ['https://[64:ff9b:1::7f00:1]:PORT/', ADDRESS],
  ['https://[2002:7f00:1::]:PORT/', ADDRESS],
  ['https://[2001:0:7f00:1::]:PORT/', ADDRESS],
  ['https:127.0.0.1:PORT', ADDRESS],
  ['https:\\\\127.0.0.1:PORT\\', ADDRESS],
  [' https://127.0.0.1:PORT/ ', ADDRESS],
  ['https://12\t7.0.\n0.1:PORT/', ADDRESS],
  ['https://localhost:PORT/', INSIDE],
  ['https://LOCALHOST:PORT/', INSIDE],
  ['https://localhost.:PORT/', INSIDE],
  ['https://api.localhost:PORT/', INSIDE],
  ['https://ｌocalhost:PORT/', INSIDE],
  ['https://localhost.localdomain.:PORT/', INSIDE],
  // The metadata of clouds.
  ['https://169.254.169.254/computeMetadata/v1/', ADDRESS],
  ['https://0xa9fea9fe/', ADDRESS],
  ['https://2852039166/', ADDRESS],
  ['https://[::ffff:169.254.169.254]/', ADDRESS],
  ['https://[fd00:ec2::254]/', ADDRESS],
  ['https://[fd20:ce::254]/', ADDRESS],
  ['https://100.100.100.200/', ADDRESS],
  ['https://192.0.0.192/', ADDRESS],
  ['https://168.63.129.16/', ADDRESS],
  ['https://metadata/', INSIDE],
  ['https://metadata.google.internal/', INSIDE],
  ['https://Metadata.Google.Internal./', INSIDE],
  ['https://metadata.goog/', INSIDE],
  // Private networks, and names of theirs.
  ['https://10.0.0.1/', ADDRESS],
  ['https://172.16.0.1/', ADDRESS],
  ['https://172.31.255.255/', ADDRESS],
  ['https://192.168.1.1/', ADDRESS],
  ['https://100.64.0.1/', ADDRESS],
  ['https://198.18.0.1/', ADDRESS],
  ['https://224.0.0.1/', ADDRESS],
  ['https://255.255.255.255/', ADDRESS],
  ['https://[fe80::1]/', ADDRESS],
  ['https://[fec0::1]/', ADDRESS],
  ['https://[fc00::1]/', ADDRESS],
  ['https://[ff02::1]/', ADDRESS],
  ['https://router/', INSIDE],
  ['https://printer.local/', INSIDE],
  ['https://db.project.internal/', INSIDE],
  ['https://example.com./', INSIDE],
  // Not https, or no URL.
  ['http://example.com/', NO_HTTPS],
  ['ftp://example.com/', NO_HTTPS],
  ['file:///etc/passwd', NO_HTTPS],
  ['gopher://127.0.0.1:PORT/', NO_HTTPS],
  ['javascript:alert(1)', NO_HTTPS],
  ['data:application/json,{}', NO_HTTPS],
  ['unix:/var/run/docker.sock', NO_HTTPS],
  ['//example.com/', NO_HTTPS],
  ['example.com', NO_HTTPS],
  ['https://', NO_HTTPS],
  ['https://[fe80::1%25eth0]/', NO_HTTPS],
  ['https://1.2.3.4.5/', NO_HTTPS],
  ['https://exa mple.com/', NO_HTTPS],
  ['', NO_HTTPS],
  // Refused wherever they go.
  ['https://user@example.com/', 'must hold no user or password'],
  ['https://:password@example.com/', 'must hold no user or password'],
  ['https://example.com@127.0.0.1:PORT/', 'must hold no user or password'],
  [`https://example.com/${'a'.repeat(2_029)}`, 'must be at most 2048 characters long'],
];

describe('a hostile URL is refused, and nobody called or asked for its address', () => {
  test.each(HOSTILE)('%s %s', async (pattern, refusal) => {
    const url = pattern.replace('PORT', String(receiver.port));
    const sender = senderTo();
    expect(sender.refusalOf(url)).toBe(refusal);
    const before = receiver.connections();
    const outbound = await outboundOf(async () => {
      const sent = await sender.send({ tenant: 'default', url }, MESSAGE);
      expect(sent).toEqual({
        delivered: false,
        failure: 'refused',
        message: `The URL ${refusal}.`,
        ms: expect.any(Number),
      });
    });
    expect(outbound).toEqual([]);
    expect(receiver.connections()).toBe(before);
  });

  test('and whoever calls is seen', async () => {
    const sender = senderTo({ allowPrivate: true });
    const before = receiver.connections();
    const call = (host: string) => () =>
      sender.send({ tenant: 'default', url: `http://${host}:${receiver.port}/` }, MESSAGE);
    expect(await outboundOf(call('127.0.0.1'))).toEqual(['TCPCONNECTWRAP']);
    expect(await outboundOf(call('localhost'))).toEqual(
      expect.arrayContaining(['GETADDRINFOREQWRAP', 'TCPCONNECTWRAP']),
    );
    expect(receiver.connections()).toBeGreaterThanOrEqual(before + 2);
  });
});

test.each([
  'https://example.com/',
  'https://example.com:8443/hook?token=1#part',
  'HTTPS://EXAMPLE.COM',
  'https://bücher.example/',
  'https://internal.example.com/',
  'https://metadata.example/',
  'https://localhost.example.com/',
  'https://8.8.8.8/',
  'https://[2606:4700:4700::1111]/',
  `https://example.com/${'a'.repeat(2_028)}`,
])('%s may be called', (url) => {
  expect(senderTo().refusalOf(url)).toBeUndefined();
});

test('no text makes the rule throw, and what it lets through is https to a host with a dot', () => {
  const parts = fc.constantFrom(
    'https://',
    'http://',
    '127.0.0.1',
    'localhost',
    '[::1]',
    '.',
    '@',
    ':',
    '/',
    '0x',
    '１',
    'a.b',
  );
  const texts = fc.oneof(
    fc.string(),
    fc.array(parts, { maxLength: 8 }).map((some) => some.join('')),
  );
  const { refusalOf } = senderTo();
  fc.assert(
    fc.property(texts, (text) => {
      if (refusalOf(text) !== undefined) return;
      const { protocol, hostname } = new URL(text);
      expect(protocol).toBe('https:');
      expect(hostname).toMatch(/\.|^\[[23]/);
    }),
  );
});

describe('where the hosts are listed', () => {
  const hosts = ['hooks.example.com', '*.acme.example'];
  const refusal = 'must go to one of: hooks.example.com, *.acme.example';

  test.each([
    ['https://hooks.example.com/', undefined],
    ['https://HOOKS.example.com:8443/a', undefined],
    ['https://a.acme.example/', undefined],
    ['https://a.b.acme.example/', undefined],
    ['https://acme.example/', refusal],
    ['https://evilacme.example/', refusal],
    ['https://a.acme.example.evil.com/', refusal],
    ['https://hooks.example.com.evil.com/', refusal],
    ['https://hooks.example.com./', refusal],
    ['https://evil.com/hooks.example.com', refusal],
    ['https://evil.com#.acme.example', refusal],
    ['https://evil.com\\.acme.example', refusal],
    ['https://8.8.8.8/', refusal],
    ['https://127.0.0.1/', refusal],
  ])('%s: %s', (url, expected) => {
    expect(senderTo({ hosts }).refusalOf(url)).toBe(expected);
    expect(senderTo({ hosts, allowPrivate: true }).refusalOf(url)).toBe(expected);
  });

  test('a listed one must be public all the same', () => {
    expect(senderTo({ hosts: ['10.0.0.1', '*.internal'] }).refusalOf('https://10.0.0.1/')).toBe(ADDRESS);
    expect(senderTo({ hosts: ['10.0.0.1', '*.internal'] }).refusalOf('https://db.internal/')).toBe(INSIDE);
  });
});

describe('where private ones are allowed', () => {
  test.each([
    ['http://127.0.0.1:3000/', undefined],
    ['http://localhost/', undefined],
    ['http://receiver:8080/hook', undefined],
    ['https://10.0.0.1/', undefined],
    ['http://[::1]/', undefined],
    ['ftp://localhost/', 'must be an http or https URL'],
    ['localhost:3000', 'must be an http or https URL'],
    ['http://user:password@localhost/', 'must hold no user or password'],
    [`http://localhost/${'a'.repeat(2_048)}`, 'must be at most 2048 characters long'],
  ])('%s: %s', (url, expected) => {
    expect(senderTo({ allowPrivate: true }).refusalOf(url)).toBe(expected);
  });
});
