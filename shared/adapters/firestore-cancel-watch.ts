/**
 * Hears of cancels: one listener per worker instance on the documents whose `cancelFor` names it. Through the package's
 * high-level client, which opens a dropped stream again; it reads nothing else.
 */
import type { Firestore } from '@google-cloud/firestore';
import type { JobKey } from '../core/job.ts';

export type FirestoreCancelWatchOptions = {
  projectId: string;
  databaseId: string;
  /** `host:port` of the emulator; absent on Google Cloud. */
  emulatorHost?: string | undefined;
};

/** A listener that the client gave up is opened again, later each time; heartbeats notice cancels meanwhile. */
const REOPEN_LEAST_MS = 500;
const REOPEN_MOST_MS = 60_000;

export function firestoreCancelWatch(options: FirestoreCancelWatchOptions) {
  const watches = new Set<() => void>();
  let client: Promise<Firestore> | undefined;
  const connect = () => {
    client ??= openClient(options);
    return client;
  };

  return {
    /** Calls back with each job whose `cancelFor` becomes this instance; the answer ends it. Never throws. */
    watch(instance: string, onCancel: (key: JobKey) => void): () => void {
      let stopped = false;
      let stop = () => {};
      let pauseMs = REOPEN_LEAST_MS;
      const reopen = () => {
        if (stopped) return;
        const timer = setTimeout(open, pauseMs);
        pauseMs = Math.min(2 * pauseMs, REOPEN_MOST_MS);
        stop = () => clearTimeout(timer);
      };
      const open = () => {
        connect()
          .then((firestore) => {
            if (stopped) return;
            const cancelled = firestore.collection('jobs').where('cancelFor', '==', instance);
            stop = cancelled.onSnapshot((snapshot) => {
              pauseMs = REOPEN_LEAST_MS;
              for (const { type, doc } of snapshot.docChanges()) if (type === 'added') onCancel(toKey(doc.id));
            }, reopen);
          })
          .catch(reopen);
      };
      const end = () => {
        stopped = true;
        stop();
        watches.delete(end);
      };
      watches.add(end);
      open();
      return end;
    },

    async close(): Promise<void> {
      for (const end of [...watches]) end();
      await (await client?.catch(() => undefined))?.terminate();
    },
  };
}

/** A document's name is `<tenant>~<job_id>`. */
function toKey(name: string): JobKey {
  const [tenant = '', id = ''] = name.split('~');
  return { tenant, id };
}

async function openClient({ projectId, databaseId, emulatorHost }: FirestoreCancelWatchOptions): Promise<Firestore> {
  const { Firestore: Client } = (await import('@google-cloud/firestore')).default;
  return new Client({ projectId, databaseId, ...(emulatorHost ? { host: emulatorHost, ssl: false } : {}) });
}
