/** What a run asks of a Firestore database, counted as it is billed, and what that costs. */
import { FIRESTORE, type FirestorePrices } from '../../infra/prices.ts';
import type { FirestoreDatabase } from '../../shared/adapters/firestore-database.ts';

export type Counts = { writes: number; deletes: number; reads: number };

/** The database itself, each of whose calls is added to `counts`. What listeners are told is not: few tests listen. */
export function counted(database: FirestoreDatabase, counts: Counts): FirestoreDatabase {
  const asked = (documents: number) => {
    // A query that finds nothing is a read.
    counts.reads += Math.max(1, documents);
  };
  return {
    ...database,
    commit(writes) {
      for (const write of writes) counts['delete' in write ? 'deletes' : 'writes'] += 1;
      return database.commit(writes);
    },
    read(names, mask) {
      asked(names.length);
      return database.read(names, mask);
    },
    async query(query, parent) {
      const found = await database.query(query, parent);
      asked(found.length);
      return found;
    },
    // A read for each thousand of index entries, which no test has.
    count(query) {
      asked(1);
      return database.count(query);
    },
    sums(query, fields) {
      asked(1);
      return database.sums(query, fields);
    },
  };
}

/** In US cents, without what is free. */
export function centsOf(counts: Counts, region: string): number {
  const prices: FirestorePrices = region in FIRESTORE ? FIRESTORE[region as keyof typeof FIRESTORE] : FIRESTORE.nam5;
  const { writes, deletes, reads } = counts;
  const dollars = (writes * prices.write + deletes * prices.delete + reads * prices.read) / 1_000_000;
  return dollars * 100;
}
