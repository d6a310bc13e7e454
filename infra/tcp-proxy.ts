/** A TCP proxy whose wire can be cut or held, for trying out how programs live through an outage of what they talk to. */
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';

export type TcpProxy = {
  /** `127.0.0.1:port`, to be used in the place of what is behind it. */
  host: string;
  /** Resets all connections, and new ones at once. */
  cut(): void;
  /** Half-open: connections stay, new ones are taken, and no byte passes either way. */
  hold(): void;
  /** Connections of now carry nothing any more, and nobody is told; new ones work, as after a router forgot the old ones. */
  strand(): void;
  /** Heals: what was held is passed on; connections that were cut or stranded stay so. */
  open(): void;
  /** How many are open now. */
  connections(): number;
  close(): Promise<void>;
};

/** Both ends of a connection. */
type Wire = readonly [client: Socket, upstream: Socket];

/** Starts a proxy to `host:port`; at first it is open. */
export async function startTcpProxy(upstreamHost: string): Promise<TcpProxy> {
  const [host = '127.0.0.1', port] = upstreamHost.split(':');
  const wires = new Set<Wire>();
  const stranded = new WeakSet<Wire>();
  let state: 'open' | 'held' | 'cut' = 'open';

  // Paused until it is piped: while the wire is held, nobody reads from it.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    if (state === 'cut') return void client.resetAndDestroy();
    const wire = [client, dial({ host, port: Number(port), allowHalfOpen: true })] as const;
    wires.add(wire);
    for (const [near, far] of bothWays(wire)) {
      near.on('error', () => far.resetAndDestroy());
      near.once('close', () => {
        wires.delete(wire);
        far.destroySoon();
      });
    }
    if (state === 'open') join(wire);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = () => {
    state = 'cut';
    for (const socket of [...wires].flat()) socket.resetAndDestroy();
  };
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    hold() {
      state = 'held';
      for (const wire of wires) part(wire);
    },
    strand() {
      for (const wire of wires) {
        stranded.add(wire);
        part(wire);
      }
    },
    open() {
      if (state === 'held') for (const wire of wires) if (!stranded.has(wire)) join(wire);
      state = 'open';
    },
    connections: () => wires.size,
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function bothWays([client, upstream]: Wire): [from: Socket, to: Socket][] {
  return [
    [client, upstream],
    [upstream, client],
  ];
}

function join(wire: Wire): void {
  for (const [from, to] of bothWays(wire)) if (!from.readableEnded) from.pipe(to);
}

function part(wire: Wire): void {
  for (const [from, to] of bothWays(wire)) {
    from.unpipe(to);
    from.pause();
  }
}
