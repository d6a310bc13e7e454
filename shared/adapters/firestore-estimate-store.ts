/** `EstimateStore` on Firestore: one small document per tenant, job type and model, in the collection `estimates`. */
import type { Estimate, EstimateKey, EstimateStore } from '../core/ports.ts';
import { answered, type FirestoreDatabase } from './firestore-database.ts';
import { fromFields, toFields } from './firestore-document.ts';

export function firestoreEstimateStore(database: FirestoreDatabase): EstimateStore {
  const nameOf = ({ tenant, jobType, modelId }: EstimateKey) =>
    `${database.root}/estimates/${tenant}~${jobType}~${modelId}`;

  return {
    async get(key) {
      const [found] = await answered(database.read([nameOf(key)]));
      if (!found) return undefined;
      const { usualMs, jobs } = fromFields(found.document.fields ?? {}) as unknown as Estimate;
      return { usualMs, jobs };
    },

    async put(key, estimate) {
      await answered(database.commit([{ update: { name: nameOf(key), fields: toFields({ ...key, ...estimate }) } }]));
    },
  };
}
