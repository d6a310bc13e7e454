import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../../infra/tcp-proxy.ts';

/** Long enough for a byte to come through if it may. */
const SILENCE_MS = 100;

let echo: Server;
let taken: number;
let proxy: TcpProxy;
let clients: Client[];

beforeEach(async () => {
  taken = 0;
  clients = [];
  echo = createServer((socket) => {
    taken += 1;
    socket.on('error', () => {}).pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await startTcpProxy(`127.0.0.1:${(echo.address() as AddressInfo).port}`);
});
afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

type Client = { socket: Socket; heard(): string; ended(): string | undefined };

/** A client, what it heard, and how its connection ended. */
function client(): Client {
  let heard = '';
  let ended: string | undefined;
  const socket = connect(Number(proxy.host.split(':')[1]), '127.0.0.1');
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    ended = error.code;
  });
  socket.on('end', () => {
    ended ??= 'end';
  });
  const started = { socket, heard: () => heard, ended: () => ended };
  clients.push(started);
  return started;
}

const silence = () => new Promise((resolve) => setTimeout(resolve, SILENCE_MS));

test('passes bytes both ways, and ends as either side does', async () => {
  const one = client();
  one.socket.write('a');
  await expect.poll(one.heard).toBe('a');
  expect(proxy.connections()).toBe(1);
  one.socket.end('b'.repeat(1_000_000));
  await expect.poll(() => one.heard().length).toBe(1_000_001);
  await expect.poll(one.ended).toBe('end');
  await expect.poll(proxy.connections).toBe(0);
});

test('cut: all connections are reset, and new ones at once, until it is open again', async () => {
  const before = client();
  before.socket.write('a');
  await expect.poll(before.heard).toBe('a');
  proxy.cut();
  await expect.poll(before.ended).toBe('ECONNRESET');
  const within = client();
  await expect.poll(within.ended).toBe('ECONNRESET');
  expect([proxy.connections(), taken]).toEqual([0, 1]);
  proxy.open();
  const after = client();
  after.socket.write('b');
  await expect.poll(after.heard).toBe('b');
});

test('held: connections stay and new ones are taken, no byte passes, and all pass when it is open again', async () => {
  const before = client();
  before.socket.write('a');
  await expect.poll(before.heard).toBe('a');
  proxy.hold();
  const within = client();
  await once(within.socket, 'connect');
  before.socket.write('b');
  within.socket.write('c');
  await silence();
  expect([before.heard(), before.ended()]).toEqual(['a', undefined]);
  expect([within.heard(), within.ended()]).toEqual(['', undefined]);
  expect(proxy.connections()).toBe(2);
  proxy.open();
  await expect.poll(before.heard).toBe('ab');
  await expect.poll(within.heard).toBe('c');
});

test('cut while it is held: what was held is lost', async () => {
  const one = client();
  one.socket.write('a');
  await expect.poll(one.heard).toBe('a');
  proxy.hold();
  one.socket.write('b');
  await silence();
  proxy.cut();
  proxy.open();
  await expect.poll(one.ended).toBe('ECONNRESET');
  expect(one.heard()).toBe('a');
});

test('stranded: old connections carry nothing any more, new ones work', async () => {
  const old = client();
  old.socket.write('a');
  await expect.poll(old.heard).toBe('a');
  proxy.strand();
  old.socket.write('b');
  const young = client();
  young.socket.write('c');
  await expect.poll(young.heard).toBe('c');
  proxy.hold();
  proxy.open();
  young.socket.write('d');
  await expect.poll(young.heard).toBe('cd');
  await silence();
  expect([old.heard(), old.ended()]).toEqual(['a', undefined]);
});
