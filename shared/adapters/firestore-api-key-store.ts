/** `ApiKeyStore` on Firestore: one document per key in the collection `api_keys`, named by its hash. */
import { type ApiKey, type ApiKeyStore, isKeyIdPrefix } from '../core/api-keys.ts';
import { ALREADY_EXISTS, answered, type FirestoreDatabase, NOT_FOUND, refusable } from './firestore-database.ts';
import { type Fields, fromFields, toFields } from './firestore-document.ts';

const FROM_KEYS = [{ collectionId: 'api_keys' }];

export function firestoreApiKeyStore(database: FirestoreDatabase): ApiKeyStore {
  const nameOf = (hash: string) => `${database.root}/api_keys/${hash}`;

  async function query(structuredQuery: Record<string, unknown>): Promise<ApiKey[]> {
    const found = await answered(database.query({ from: FROM_KEYS, ...structuredQuery }));
    return found.map(({ document }) => toKey(document.fields ?? {}));
  }

  /** Of a key that is there, one field. */
  async function set(hash: string, change: Partial<ApiKey>): Promise<boolean> {
    const update = { name: nameOf(hash), fields: toFields(change) };
    const write = { update, updateMask: { fieldPaths: Object.keys(change) }, currentDocument: { exists: true } };
    return 'value' in (await refusable(database.commit([write]), { [NOT_FOUND]: 'missing' }));
  }

  return {
    async create(key) {
      const write = { update: { name: nameOf(key.hash), fields: toFields(key) }, currentDocument: { exists: false } };
      const outcome = await refusable(database.commit([write]), { [ALREADY_EXISTS]: 'exists' });
      return 'value' in outcome ? { created: true } : { refused: 'exists' };
    },

    async get(hash) {
      const [found] = await answered(database.read([nameOf(hash)]));
      return found && toKey(found.document.fields ?? {});
    },

    async list(tenant) {
      const where = { fieldFilter: { field: { fieldPath: 'tenant' }, op: 'EQUAL', value: { stringValue: tenant } } };
      const keys = await query(tenant === undefined ? {} : { where });
      // Here, not there: keys are few, and no index is needed.
      return keys.sort((a, b) => b.createdAt - a.createdAt || (a.hash < b.hash ? -1 : 1));
    },

    async revoke(idPrefix, atMs) {
      if (!isKeyIdPrefix(idPrefix)) return { refused: 'missing' };
      // An id begins its hash, and a hexadecimal digit is less than g.
      const compare = (op: string, hash: string) => ({
        fieldFilter: { field: { fieldPath: '__name__' }, op, value: { referenceValue: nameOf(hash) } },
      });
      const filters = [compare('GREATER_THAN_OR_EQUAL', idPrefix), compare('LESS_THAN', `${idPrefix}g`)];
      const [key, another] = await query({ where: { compositeFilter: { op: 'AND', filters } }, limit: { value: 2 } });
      if (!key) return { refused: 'missing' };
      if (another) return { refused: 'ambiguous' };
      if (key.revokedAt !== undefined) return { revoked: key };
      const isThere = await set(key.hash, { revokedAt: atMs });
      return isThere ? { revoked: { ...key, revokedAt: atMs } } : { refused: 'missing' };
    },

    async touch(hash, atMs) {
      await set(hash, { lastUsedAt: atMs });
    },
  };
}

function toKey(fields: Fields): ApiKey {
  return fromFields(fields) as unknown as ApiKey;
}
