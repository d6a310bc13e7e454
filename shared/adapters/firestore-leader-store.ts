/** `LeaderStore` on Firestore: one small document per tenant and key in the collection `leaders`; its TTL field is `deleteAt`. */
import type { LeaderKey, LeaderStore } from '../core/leader-store.ts';
import {
  ABORTED,
  ALREADY_EXISTS,
  answered,
  FAILED_PRECONDITION,
  type FirestoreDatabase,
  NOT_FOUND,
  refusable,
} from './firestore-database.ts';
import { toFields } from './firestore-document.ts';

/** The document is not as it was seen; nothing was written. */
const CHANGED = {
  [ALREADY_EXISTS]: 'changed',
  [FAILED_PRECONDITION]: 'changed',
  [NOT_FOUND]: 'changed',
  [ABORTED]: 'changed',
} as const;

export function firestoreLeaderStore(database: FirestoreDatabase): LeaderStore {
  const nameOf = ({ tenant, key }: LeaderKey) => `${database.root}/leaders/${tenant}~${key}`;

  async function look(key: LeaderKey) {
    const [found] = await answered(database.read([nameOf(key)]));
    const { fields, updateTime } = found?.document ?? {};
    return found && { id: fields?.jobId?.stringValue ?? '', updateTime };
  }

  const get: LeaderStore['get'] = async (key) => (await look(key))?.id;

  return {
    get,

    async lead(key, jobId, { before, deleteAt }) {
      const found = before === undefined ? undefined : await look(key);
      if (found && found.id !== before) return found.id;
      const currentDocument = found ? { updateTime: found.updateTime } : { exists: false };
      const update = { name: nameOf(key), fields: toFields({ jobId, deleteAt }) };
      const answer = await refusable(database.commit([{ update, currentDocument }]), CHANGED);
      return 'refused' in answer ? get(key) : jobId;
    },

    async remove(key, jobId) {
      const found = await look(key);
      if (found?.id !== jobId) return;
      const { updateTime } = found;
      await refusable(database.commit([{ delete: nameOf(key), currentDocument: { updateTime } }]), CHANGED);
    },
  };
}
