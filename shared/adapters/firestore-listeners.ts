/**
 * Listeners that share streams: some dozens of targets to one `Listen` call, as Firestore's clients for browsers and phones
 * have it. The package's high-level client has a stream for each, and a connection for each hundred.
 */
import { type FirestoreClientOptions, firestoreClient, firestoreHeaders } from './firestore-client.ts';
import {
  type ListenCall,
  type Listening,
  type OpenListenCall,
  type SharedStream,
  sharedStream,
} from './firestore-stream.ts';

export type FirestoreListeners = {
  /** Listens until the answer is called. Never throws. */
  listen(listening: Listening): () => void;
  close(): Promise<void>;
};

/** A connection to Google has 100 streams, and an instance at most a thousand readers, with two targets each. */
const TARGETS_PER_STREAM = 40;

export function firestoreListeners(options: FirestoreClientOptions & { database: string }): FirestoreListeners {
  const streams = new Set<SharedStream>();
  /** A client of its own: streams that stay would take the places of calls. */
  const client = firestoreClient(options);
  let isClosed = false;

  const open: OpenListenCall = async () => {
    const [{ grpc }, stub] = await Promise.all([
      import('google-gax'),
      client.connect().then((one) => one.initialize()),
    ]);
    const metadata = new grpc.Metadata();
    // As the high-level client has it, and as the low-level one has it: Google routes by them.
    metadata.set('google-cloud-resource-prefix', options.database);
    metadata.set('x-goog-request-params', `database=${encodeURIComponent(options.database)}`);
    for (const [name, value] of Object.entries(firestoreHeaders(options))) metadata.set(name, value);
    return (stub as unknown as { listen(metadata: object, options: object): ListenCall }).listen(metadata, {});
  };

  function streamWithRoom() {
    for (const stream of streams) if (stream.size() < TARGETS_PER_STREAM) return stream;
    const stream = sharedStream(options.database, open, () => streams.delete(stream));
    streams.add(stream);
    return stream;
  }

  return {
    listen: (listening) => (isClosed ? () => {} : streamWithRoom().add(listening)),

    async close() {
      isClosed = true;
      for (const stream of [...streams]) stream.close();
      await client.close();
    },
  };
}
