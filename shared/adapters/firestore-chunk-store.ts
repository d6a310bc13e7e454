/**
 * `ChunkStore` on Firestore: the collection `chunks` below a job's document, whose documents' names (`0001-000042`: the
 * attempt, the chunk) put them in order without an index. Their TTL field is `deleteAt`: TTL takes no subcollections.
 */
import { type JobKey, jobName } from '../core/job.ts';
import type { Chunk, ChunkStore } from '../core/ports.ts';
import { answered, type FirestoreDatabase } from './firestore-database.ts';
import { fromFields, toFields } from './firestore-document.ts';

const ATTEMPT_DIGITS = 4;
const CHUNK_DIGITS = 6;
/** Of one commit. */
const REMOVED_AT_ONCE = 300;

export function firestoreChunkStore(database: FirestoreDatabase): ChunkStore {
  const jobOf = (key: JobKey) => `${database.root}/jobs/${jobName(key)}`;
  const byName = [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' }];
  const from = [{ collectionId: 'chunks' }];

  /** Those of an attempt after the nth, in order. */
  function after(key: JobKey, attempt: number, n: number) {
    const at = (name: string) => ({ values: [{ referenceValue: `${jobOf(key)}/chunks/${name}` }] });
    return {
      from,
      orderBy: byName,
      startAt: { ...at(chunkName(attempt, n)), before: false },
      endAt: { ...at(chunkName(attempt + 1, 0)), before: true },
    };
  }

  return {
    async put(key, { attempt, n, text }, deleteAt) {
      const name = `${jobOf(key)}/chunks/${chunkName(attempt, n)}`;
      await answered(database.commit([{ update: { name, fields: toFields({ attempt, n, text, deleteAt }) } }]));
    },

    async list(key, attempt, afterN) {
      const found = await answered(database.query(after(key, attempt, afterN), jobOf(key)));
      return found.map(({ document }) => toChunk(fromFields(document.fields ?? {})));
    },

    watch(key, attempt, afterN, onChunks) {
      let heardN = afterN;
      return database.listen({
        // Where a stream is lost, what was told does not come, and is not paid for, again.
        target: () => ({ query: { parent: jobOf(key), structuredQuery: after(key, attempt, heardN) } }),
        isAppendOnly: true,
        onSnapshot({ changes }) {
          const last = `${jobOf(key)}/chunks/${chunkName(attempt, heardN)}`;
          const found = [...changes].filter(([name]) => name > last).sort(([one], [other]) => (one > other ? 1 : -1));
          const chunks = found.flatMap(([, document]) => (document ? toChunk(fromFields(document.fields ?? {})) : []));
          heardN = chunks.at(-1)?.n ?? heardN;
          onChunks(chunks);
        },
      });
    },

    async remove(key) {
      const all = {
        from,
        orderBy: byName,
        limit: { value: REMOVED_AT_ONCE },
        select: { fields: byName.map(({ field }) => field) },
      };
      for (;;) {
        const found = await answered(database.query(all, jobOf(key)));
        if (found.length > 0) await answered(database.commit(found.map(({ document }) => ({ delete: document.name }))));
        if (found.length < REMOVED_AT_ONCE) return;
      }
    },
  };
}

function chunkName(attempt: number, n: number): string {
  return `${String(attempt).padStart(ATTEMPT_DIGITS, '0')}-${String(n).padStart(CHUNK_DIGITS, '0')}`;
}

/** Beside these a chunk's document has the instant from which it may go. */
function toChunk(document: object): Chunk {
  const { attempt, n, text } = document as Chunk;
  return { attempt, n, text };
}
