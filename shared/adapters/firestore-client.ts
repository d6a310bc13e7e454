/** How the package's low-level client is made: it makes each call once, and loads a tenth of the package. */
import type { v1 } from '@google-cloud/firestore';

export type FirestoreClient = InstanceType<typeof v1.FirestoreClient>;

export type FirestoreClientOptions = {
  projectId: string;
  /** `host:port` of the emulator; absent on Google Cloud. */
  emulatorHost?: string | undefined;
};

/**
 * How a connection to Firestore comes back. Left alone, gRPC waits up to two minutes before it connects again after an
 * outage, and up to a quarter of an hour until it finds out that a connection is dead whose other side went away without
 * a word. Google's servers take a sign of life every 30 s, not more often.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md
 * @see https://github.com/grpc/grpc/blob/master/doc/keepalive.md
 */
export const FIRESTORE_CHANNEL = {
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/**
 * A client that shares its connection with no other, made when it is first wanted; anew, where it could not be made: the
 * package's own keeps a failure to find its credentials for good.
 */
export function firestoreClient(options: FirestoreClientOptions) {
  let opened: Promise<FirestoreClient> | undefined;
  let connected: Promise<FirestoreClient> | undefined;

  /** Loads and makes the client, and calls nobody. */
  function load(): Promise<FirestoreClient> {
    opened ??= openFirestoreClient(options).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  }

  return {
    load,
    /** The client with its credentials. */
    connect(): Promise<FirestoreClient> {
      connected ??= load()
        .then((client) => client.initialize().then(() => client))
        .catch((error: unknown) => {
          [opened, connected] = [undefined, undefined];
          throw error;
        });
      return connected;
    },
    async close(): Promise<void> {
      // One that has no credentials has nothing to close.
      await (await connected?.catch(() => undefined))?.close();
    },
  };
}

async function openFirestoreClient({ projectId, emulatorHost }: FirestoreClientOptions): Promise<FirestoreClient> {
  const { default: firestore } = await import('@google-cloud/firestore');
  const channel = { ...FIRESTORE_CHANNEL, 'grpc.use_local_subchannel_pool': 1 };
  if (!emulatorHost) return new firestore.v1.FirestoreClient({ projectId, ...channel });
  // The low-level client does not read FIRESTORE_EMULATOR_HOST; the emulator speaks gRPC without TLS.
  const { grpc } = await import('google-gax');
  const [servicePath = '127.0.0.1', port] = emulatorHost.split(':');
  return new firestore.v1.FirestoreClient({
    projectId,
    servicePath,
    port: Number(port),
    sslCreds: grpc.credentials.createInsecure(),
    ...channel,
  });
}

/** What goes with each call: the emulator's word for an administrator, whom no security rule stops. */
export function firestoreHeaders({ emulatorHost }: FirestoreClientOptions): Record<string, string> {
  return emulatorHost ? { Authorization: 'Bearer owner' } : {};
}
