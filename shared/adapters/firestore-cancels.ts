/**
 * Cancels on Firestore: a document in the collection `cancels` for each job whose holder is to hear of one, named as the job
 * and written in the same commit. A query of the jobs themselves would bring a listener the cancelled ones whole, with their
 * inputs, again at each change; and Firestore's emulator goes through a collection that is listened to at every commit.
 */
import { type JobChanges, type JobKey, jobName } from '../core/job.ts';
import type { FirestoreDatabase } from './firestore-database.ts';
import { toFields } from './firestore-document.ts';
import { cancelsQuery } from './firestore-queries.ts';

/** The TTL field is `deleteAt`. A cancel waits for its holder for half a minute. */
const KEPT_MS = 86_400_000;

/** What a change of a job has to tell its holder: at most one write. `cancelRequestedAt` comes with `cancelFor`. */
export function cancelWrites(root: string, key: JobKey, { cancelFor, cancelRequestedAt = 0 }: JobChanges) {
  if (cancelFor === undefined) return [];
  const fields = toFields({ instance: cancelFor, deleteAt: cancelRequestedAt + KEPT_MS });
  // In place of one for another instance.
  return [{ update: { name: `${root}/cancels/${jobName(key)}`, fields } }];
}

/** Calls back with each job whose cancel is for this instance. The answer ends it. */
export function listenToCancels(
  database: FirestoreDatabase,
  instance: string,
  onCancel: (key: JobKey) => void,
): () => void {
  const target = { query: { parent: database.root, structuredQuery: cancelsQuery(instance) } };
  return database.listen({
    target: () => target,
    onSnapshot({ changes }) {
      // Each write is a cancel: one for us, another and us again may look like a change of the first alone.
      for (const [name, document] of changes) if (document) onCancel(toKey(name));
    },
  });
}

/** The last part of a document's name is `<tenant>~<job_id>`. */
function toKey(name: string): JobKey {
  const [tenant = '', id = ''] = name.slice(name.lastIndexOf('/') + 1).split('~');
  return { tenant, id };
}
