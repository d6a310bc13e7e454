/**
 * How a connection to Firestore comes back, whichever client holds it. Left alone, gRPC waits up to two minutes before it
 * connects again after an outage, and up to a quarter of an hour until it finds out that a connection is dead whose other
 * side went away without a word. Google's servers take a sign of life every 30 s, not more often.
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
