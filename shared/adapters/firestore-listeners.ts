/**
 * Listeners on documents and queries, through the package's high-level client, which opens a dropped stream again by
 * itself; one that it gave up is opened again here. It reads nothing else.
 */
import type { Firestore } from '@google-cloud/firestore';
import { FIRESTORE_CHANNEL } from './firestore-channel.ts';

export type FirestoreListenersOptions = {
  projectId: string;
  databaseId: string;
  /** `host:port` of the emulator; absent on Google Cloud. */
  emulatorHost?: string | undefined;
};

/** Opens one listener; `onEnd` is to be called when the client gives it up. The answer ends it. */
export type OpenListener = (firestore: Firestore, onEnd: () => void) => () => void;

export type FirestoreListeners = {
  /** Keeps a listener open until the answer is called. Never throws. */
  listen(open: OpenListener): () => void;
  close(): Promise<void>;
};

/** Later each time; whoever listens also looks now and then. */
const REOPEN_LEAST_MS = 500;
const REOPEN_MOST_MS = 60_000;
/** One that lived so long did not fail at once. */
const LIVED_WELL_MS = 10_000;

export function firestoreListeners(options: FirestoreListenersOptions): FirestoreListeners {
  const ends = new Set<() => void>();
  let client: Promise<Firestore> | undefined;
  const connect = () => {
    client ??= openClient(options).catch((error: unknown) => {
      client = undefined;
      throw error;
    });
    return client;
  };

  return {
    listen(open) {
      let stopped = false;
      let stop = () => {};
      let pauseMs = REOPEN_LEAST_MS;
      let openedMs = 0;
      const reopen = () => {
        if (stopped) return;
        if (performance.now() - openedMs > LIVED_WELL_MS) pauseMs = REOPEN_LEAST_MS;
        const timer = setTimeout(start, pauseMs);
        pauseMs = Math.min(2 * pauseMs, REOPEN_MOST_MS);
        stop = () => clearTimeout(timer);
      };
      const start = () => {
        openedMs = performance.now();
        connect()
          .then((firestore) => {
            if (!stopped) stop = open(firestore, reopen);
          })
          .catch(reopen);
      };
      const end = () => {
        stopped = true;
        stop();
        ends.delete(end);
      };
      ends.add(end);
      start();
      return end;
    },

    async close() {
      for (const end of [...ends]) end();
      await (await client?.catch(() => undefined))?.terminate();
    },
  };
}

async function openClient({ projectId, databaseId, emulatorHost }: FirestoreListenersOptions): Promise<Firestore> {
  const { Firestore: Client } = (await import('@google-cloud/firestore')).default;
  const host = emulatorHost ? { host: emulatorHost, ssl: false } : {};
  return new Client({ projectId, databaseId, ...host, ...FIRESTORE_CHANNEL });
}
