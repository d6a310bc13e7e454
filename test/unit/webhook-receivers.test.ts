/** Receivers of every kind, on real sockets: what became of the one POST, in a word, in a sentence, and in time. */
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { webhookSender } from '../../shared/adapters/webhook-sender.ts';
import type { Clock } from '../../shared/core/ports.ts';
import { head, type RawReceiver, rawReceiver, until } from '../support/raw-receiver.ts';
import { type VirtualClock, virtualClock } from '../support/virtual-clock.ts';

const SECRET = 'whsec_bmV3IHNlY3JldCBvZiB0d2VudHktZm91ciBieXRlcyEh';
const QUERY = 'token=query-secret';
const MESSAGE = { id: 'evt_1', body: '{"type":"job.completed"}' };
const CUT = 'The receiver closed the connection before it answered.';
const LATE = {
  ...{ delivered: false, failure: 'timeout', ms: 15_000 },
  message: 'The receiver did not answer within 15 seconds.',
};
const GARBAGE = 'The receiver answered something that is not HTTP';

const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1');

let receiver: RawReceiver;
beforeEach(async () => {
  receiver = await rawReceiver();
});
afterEach(() => receiver.close());

async function send({
  clock = systemClock() as Clock,
  host = '127.0.0.1',
  port = receiver.port,
  scheme = 'http',
} = {}) {
  const sender = webhookSender({ secrets: [SECRET], hosts: [], allowPrivate: true, clock });
  const sent = await sender.send({ tenant: 'default', url: `${scheme}://${host}:${port}/path?${QUERY}` }, MESSAGE);
  const text = JSON.stringify(sent);
  for (const hidden of ['query-secret', SECRET, SECRET.slice(6), 'path']) expect(text).not.toContain(hidden);
  expect(Number.isInteger(sent.ms) && sent.ms >= 0).toBe(true);
  return sent;
}

/** Sends, lets the time pass that it may take once the request is there, and answers what became of it. */
async function sendUntilLate(clock: VirtualClock, stepMs = 15_000) {
  const arrived = receiver.next();
  const sending = send({ clock });
  await arrived;
  for (let leftMs = 15_000; leftMs > 0; leftMs -= stepMs) {
    await clock.advance(stepMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sending;
}

describe('an answer', () => {
  test.each([200, 201, 202, 204, 299])('of %i is a delivery', async (status) => {
    receiver.answers((socket) => socket.end(head(status, 'retry-after: 5')));
    expect(await send()).toEqual({ delivered: true, status, ms: expect.any(Number) });
    expect(receiver.received).toMatchObject([{ body: MESSAGE.body }]);
  });

  test.each([400, 401, 404, 409, 418, 422, 429, 451, 499, 500, 502, 503, 504, 599])('of %i is none', async (status) => {
    receiver.answers((socket) => socket.end(head(status)));
    const message = `The receiver answered ${status}.`;
    expect(await send()).toEqual({ delivered: false, failure: 'status', status, message, ms: expect.any(Number) });
    expect(receiver.connections()).toBe(1);
  });

  test('of 410 ends it', async () => {
    receiver.answers((socket) => socket.end(head(410)));
    const message = 'The receiver answered 410: it wants no more.';
    expect(await send()).toEqual({ delivered: false, failure: 'gone', status: 410, message, ms: expect.any(Number) });
  });

  test.each([
    [429, ['retry-after: 120'], 120_000],
    [429, ['Retry-After: Tue, 14 Nov 2023 22:14:20 GMT'], 60_000],
    // Its clock is an hour behind ours: its own date counts.
    [503, ['date: Tue, 14 Nov 2023 21:13:20 GMT', 'retry-after: Tue, 14 Nov 2023 21:13:30 GMT'], 10_000],
    [503, ['retry-after: Tue, 14 Nov 2023 22:00:00 GMT'], 0],
    [400, ['retry-after: 1'], 1_000],
    [410, ['retry-after: 1'], 1_000],
    [500, ['retry-after: 99999999'], 99_999_999_000],
    [500, ['retry-after: -1'], 0],
    [500, ['retry-after: soon'], undefined],
    [500, ['retry-after:'], undefined],
    [500, [`retry-after: ${'9'.repeat(400)}`], undefined],
  ])('of %i with %j asks for a pause of %s ms', async (status, lines, expected) => {
    receiver.answers((socket) => socket.end(head(status, ...lines)));
    const sent = await send({ clock: virtualClock(Date.parse('2023-11-14T22:13:20Z')) });
    expect(sent).toMatchObject({ delivered: false, status });
    expect('retryAfterMs' in sent ? sent.retryAfterMs : undefined).toBe(expected);
  });

  test('after others that only say that it is coming counts', async () => {
    receiver.answers((socket) =>
      socket.end(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${head(200)}`),
    );
    expect(await send()).toMatchObject({ delivered: true, status: 200 });
  });
});

describe('no answer', () => {
  test.each<[string, (socket: Socket) => void, string]>([
    ['it closes at once', (socket) => socket.end(), CUT],
    ['it resets', (socket) => socket.resetAndDestroy(), CUT],
    ['it closes in the first line', (socket) => socket.end('HTTP/1.1 20'), CUT],
    ['it closes in a header', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'), CUT],
    [
      'it wants another protocol',
      (socket) => socket.end('HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'),
      CUT,
    ],
    [
      'it answers garbage',
      (socket) => socket.end('\0\x01\x02 garbage \xff\r\n\r\n'),
      `${GARBAGE} (HPE_INVALID_CONSTANT).`,
    ],
    ['it answers as SSH', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'), `${GARBAGE} (HPE_INVALID_CONSTANT).`],
    [
      'it says again and again that the answer is coming',
      (socket) => socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(10_000)),
      'The receiver announced its answer too often.',
    ],
    [
      'its headers have no end',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\na: ${'a'.repeat(100_000)}`),
      `${GARBAGE} (HPE_HEADER_OVERFLOW).`,
    ],
    ['its status is none', (socket) => socket.end('HTTP/1.1 abc OK\r\n\r\n'), `${GARBAGE} (HPE_INVALID_STATUS).`],
    [
      'it smuggles',
      (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0'),
      `${GARBAGE} (HPE_INVALID_TRANSFER_ENCODING).`,
    ],
  ])('%s', async (_, answer, message) => {
    receiver.answers(answer);
    expect(await send()).toEqual({ delivered: false, failure: 'network', message, ms: expect.any(Number) });
    expect(receiver.connections()).toBe(1);
  });

  test('nobody listens', async () => {
    const { port } = receiver;
    await receiver.close();
    const message = 'The receiver refused the connection (ECONNREFUSED).';
    expect(await send({ port })).toEqual({ delivered: false, failure: 'network', message, ms: expect.any(Number) });
    receiver = await rawReceiver();
  });

  test('nobody has that name', async () => {
    const message = expect.stringMatching(/^The name of the host could not be resolved \((ENOTFOUND|EAI_\w+)\)\.$/);
    expect(await send({ host: 'nobody.invalid' })).toMatchObject({ delivered: false, failure: 'network', message });
  });

  test('a name of this machine has several addresses: the one that answers is found', async () => {
    expect(await send({ host: 'localhost' })).toMatchObject({ delivered: true });
  });
});

test.skipIf(!hasIPv6)('an IPv6 address is called by its address', async () => {
  const other = await rawReceiver({ host: '::1' });
  expect(await send({ host: '[::1]', port: other.port })).toMatchObject({ delivered: true });
  expect(other.received).toMatchObject([{ headers: { host: `[::1]:${other.port}` } }]);
  await other.close();
});

describe('in 15 seconds', () => {
  test('one that never answers is given up, and its connection closed', async () => {
    receiver.answers(() => {});
    expect(await sendUntilLate(virtualClock())).toEqual(LATE);
    await receiver.gone();
  });

  test('so is one that answers byte by byte', async () => {
    const clock = virtualClock();
    let bytes = 0;
    receiver.answers((socket) => {
      const drip = () => {
        bytes += 1;
        socket.write('a');
        clock.setTimer(drip, 500);
      };
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      drip();
    });
    expect(await sendUntilLate(clock, 500)).toEqual(LATE);
    expect(bytes).toBeGreaterThan(25);
    await receiver.gone();
  });

  test('so is one that only says that the answer is coming', async () => {
    const clock = virtualClock();
    receiver.answers((socket) => {
      const promise = () => {
        socket.write('HTTP/1.1 102 Processing\r\n\r\n');
        clock.setTimer(promise, 500);
      };
      promise();
    });
    expect(await sendUntilLate(clock, 500)).toEqual(LATE);
    await receiver.gone();
  });

  test('so is one that speaks no TLS and says nothing', async () => {
    const clock = virtualClock();
    const sending = send({ clock, scheme: 'https' });
    await until(() => receiver.connections() === 1);
    await clock.advance(15_000);
    expect(await sending).toEqual(LATE);
    await receiver.gone();
  });

  test('one whose body never ends has delivered at its first line; its connection is closed then', async () => {
    const clock = virtualClock();
    receiver.answers((socket) => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n'));
    expect(await send({ clock })).toEqual({ delivered: true, status: 200, ms: 0 });
    expect(receiver.open()).toBe(1);
    await clock.advance(1_000);
    await receiver.gone();
  });
});

describe('the body of an answer', () => {
  test.each([200, 500])('of a gigabyte is not read (%i)', async (status) => {
    const piece = Buffer.alloc(1_048_576, 'a');
    let written = 0;
    receiver.answers((socket) => {
      socket.write(`HTTP/1.1 ${status} Answer\r\ncontent-length: ${1_024 * piece.length}\r\n\r\n`);
      const more = () => {
        while (written < 1_024 && !socket.destroyed) {
          written += 1;
          if (!socket.write(piece)) return void socket.once('drain', more);
        }
      };
      more();
    });
    expect(await send()).toMatchObject({ delivered: status === 200, status });
    await receiver.gone();
    // What the buffers of both sockets take.
    expect(written).toBeLessThan(32);
  });

  test('that is cut in the middle changes nothing', async () => {
    receiver.answers((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'));
    expect(await send()).toMatchObject({ delivered: true, status: 200 });
    await receiver.gone();
  });

  test('of some kilobytes is read to its end, so that its sender sees none cut', async () => {
    const isCut = new Promise<boolean>((resolve) => {
      receiver.answers((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n${'a'.repeat(30_000)}`);
        setTimeout(() => {
          resolve(socket.readableEnded || socket.destroyed);
          socket.end('a'.repeat(30_000));
        }, 50);
      });
    });
    expect(await send()).toMatchObject({ delivered: true });
    expect(await isCut).toBe(false);
    await receiver.gone();
  });
});

test('each try has a connection of its own, which ends with it', async () => {
  receiver.answers((socket) => socket.write(head(200, 'connection: keep-alive')));
  for (let tries = 1; tries <= 3; tries++) {
    expect(await send()).toMatchObject({ delivered: true });
    await receiver.gone();
    expect(receiver.connections()).toBe(tries);
  }
  expect(receiver.received.map(({ headers }) => headers.connection)).toEqual(['close', 'close', 'close']);
});
