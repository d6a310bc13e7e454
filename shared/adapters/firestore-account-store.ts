/** `AccountStore` on Firestore. */
import type { AccountStore } from '../core/accounts.ts';
import { accountIn, accountName, increments } from './firestore-accounts.ts';
import { ALREADY_EXISTS, answered, type FirestoreDatabase, NOT_FOUND, refusable } from './firestore-database.ts';
import { fromFields, toFields } from './firestore-document.ts';

const SETTINGS = ['tenant', 'user', 'subscription', 'budget'];

export function firestoreAccountStore(database: FirestoreDatabase): AccountStore {
  const { root } = database;

  return {
    async get(key) {
      const [found] = await answered(database.read([accountName(root, key)]));
      return found && accountIn(key, found);
    },

    async put({ tenant, user }, { subscription, budget }) {
      // A budget that is in the mask and not among the fields goes.
      const fields = toFields({ tenant, user, subscription, budget });
      const update = { name: accountName(root, { tenant, user }), fields };
      await answered(database.commit([{ update, updateMask: { fieldPaths: SETTINGS } }]));
    },

    async grant({ tenant, user }, { id, tokens }) {
      const name = `${root}/grants/${tenant}~${id}`;
      const given = { name, fields: toFields({ tenant, user, tokens }) };
      const updateTransforms = [{ fieldPath: 'grantedAt', setToServerValue: 'REQUEST_TIME' }];
      const added = increments(accountName(root, { tenant, user }), { balance: tokens });
      const writes = [
        { update: given, updateTransforms, currentDocument: { exists: false } },
        { ...added, currentDocument: { exists: true } },
      ];
      const outcome = await refusable(database.commit(writes), { [ALREADY_EXISTS]: 'exists', [NOT_FOUND]: 'missing' });
      if (!('refused' in outcome)) return { granted: true };
      if (outcome.refused === 'missing') return { refused: 'missing' };
      const [before] = await answered(database.read([name]));
      return { refused: 'exists', tokens: Number(fromFields(before?.document.fields ?? {})['tokens' as never]) };
    },
  };
}
