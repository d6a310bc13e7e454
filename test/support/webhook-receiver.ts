/**
 * A receiver of webhooks on a real socket, which verifies each request with the independent library and remembers it. How
 * it treats a request is its test's choice; it can be taken away and come back on the same port.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

/** `dawdle`: it answers after a while; `hang`: never; `close`: the connection ends without an answer. */
export type Manner = 'answer' | 'dawdle' | 'refuse' | 'close' | 'hang';

/** What a request tells. */
export type HookEvent = { id: string; body: string; type: string; jobId: string; version: number };

export type Receipt = HookEvent & {
  /** Its place among all receipts and all 2xx answers. */
  place: number;
  /** The place of the 2xx that it was answered; absent: it was not. */
  deliveredPlace?: number;
  manner: Manner;
};

export type Receiver = {
  url: string;
  receipts: readonly Receipt[];
  /** What no request may be, in sentences. */
  wrong: readonly string[];
  /** Cuts every connection and takes none; `open` takes them again. */
  away(): Promise<void>;
  open(): Promise<void>;
  stop(): Promise<void>;
};

export type ReceiverOptions = {
  /** Each of them must verify each request. */
  secrets: readonly string[];
  /** How it treats a request that it has read; `times`: how often this one came before. */
  mannerOf?: (event: HookEvent, times: number) => Manner;
  /** Called when a 2xx has gone out. */
  onAnswered?: (event: HookEvent) => void;
};

const DAWDLE_MS = 2_000;

export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { secrets, mannerOf = () => 'answer', onAnswered } = options;
  const receipts: Receipt[] = [];
  const wrong: string[] = [];
  const times = new Map<string, number>();
  let places = 0;
  let server = await serve(0);
  const { port } = server.address() as AddressInfo;

  async function serve(at: number): Promise<Server> {
    const made = createServer((request, response) => void take(request, response));
    await new Promise<void>((resolve, reject) => made.listen(at, '127.0.0.1', resolve).once('error', reject));
    return made;
  }

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks).toString();
    const id = String(request.headers['webhook-id']);
    for (const secret of secrets) {
      try {
        new Webhook(secret).verify(body, request.headers as Record<string, string>);
      } catch (error) {
        wrong.push(`${id} does not verify: ${String(error)}`);
      }
    }
    const event = { id, ...readEvent(body) };
    const before = times.get(id) ?? 0;
    times.set(id, before + 1);
    const receipt: Receipt = { ...event, place: places++, manner: mannerOf(event, before) };
    receipts.push(receipt);
    treat(receipt, response);
  }

  function treat(receipt: Receipt, response: ServerResponse): void {
    const deliver = () => {
      if (response.destroyed) return;
      receipt.deliveredPlace = places++;
      response.writeHead(204).end(() => onAnswered?.(receipt));
    };
    if (receipt.manner === 'answer') deliver();
    if (receipt.manner === 'dawdle') setTimeout(deliver, DAWDLE_MS);
    if (receipt.manner === 'refuse') response.writeHead(500).end();
    if (receipt.manner === 'close') response.destroy();
  }

  async function away(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  return {
    url: `http://127.0.0.1:${port}/hooks`,
    receipts,
    wrong,
    away,
    async open() {
      server = await serve(port);
    },
    stop: away,
  };
}

/** What the body of an event says of it. */
export function readEvent(body: string): Omit<HookEvent, 'id'> {
  const { type, data } = JSON.parse(body);
  return { body, type, jobId: data.job_id, version: data.version };
}
