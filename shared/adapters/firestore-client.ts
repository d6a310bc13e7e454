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

/** A client that shares its connection with no other. */
export async function openFirestoreClient({
  projectId,
  emulatorHost,
}: FirestoreClientOptions): Promise<FirestoreClient> {
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
