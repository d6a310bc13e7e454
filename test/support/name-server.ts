/** A name server on a real socket whose answers a test writes; asked once more, it may say something else. */
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';

/** `A` and `AAAA`. */
const TYPES: { [type: number]: 4 | 6 } = { 1: 4, 28: 6 };
const ANSWER = 0x8180;
const NO_SUCH_NAME = 3;
const IN = 1;

/** What it says: of a name's addresses those of the family that it was asked for. */
export type Says = string[] | 'no-such-name';

export async function nameServer(says: (family: 4 | 6, name: string) => Says) {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const name = nameIn(query);
    const question = query.subarray(12, 12 + name.length + 2 + 4);
    const family = TYPES[question.readUInt16BE(question.length - 4)] ?? 4;
    asked.push(`${family} ${name}`);
    const said = says(family, name);
    const records = said === 'no-such-name' ? [] : said.filter((one) => isIP(one) === family).map(record);
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(ANSWER | (said === 'no-such-name' ? NO_SUCH_NAME : 0), 2);
    [1, records.length, 0, 0].forEach((count, at) => {
      header.writeUInt16BE(count, 4 + 2 * at);
    });
    socket.send(Buffer.concat([header, question, ...records]), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
}

function nameIn(query: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; query[at]; at += (query[at] ?? 0) + 1) {
    labels.push(query.toString('latin1', at + 1, at + 1 + (query[at] ?? 0)));
  }
  return labels.join('.');
}

/** A record that may be kept for no time at all, of the name that was asked for. */
function record(address: string): Buffer {
  const bytes = isIP(address) === 4 ? Buffer.from(address.split('.').map(Number)) : bytesOf6(address);
  const head = Buffer.alloc(12);
  [0xc00c, bytes.length === 4 ? 1 : 28, IN, 0, 0, bytes.length].forEach((value, at) => {
    head.writeUInt16BE(value, 2 * at);
  });
  return Buffer.concat([head, bytes]);
}

function bytesOf6(address: string): Buffer {
  const [before = '', after = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [head, tail] = [before, after].map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(8 - (head ?? []).length - (tail ?? []).length).fill('0');
  const groups = [...(head ?? []), ...zeros, ...(tail ?? [])];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
