/**
 * Google Cloud's list prices in US dollars, as they were read in August 2026 from pages that quote them. Look them up before
 * you rely on a sum: they change, and differ by region.
 *
 * @see https://cloud.google.com/firestore/pricing
 * @see https://cloud.google.com/pubsub/pricing
 * @see https://cloud.google.com/run/pricing
 */
export const PRICES_OF = 'August 2026';

/** Of a million documents, and of a GiB for a month. */
export type FirestorePrices = { write: number; read: number; delete: number; gibMonth: number };
export const FIRESTORE = {
  'us-central1': { write: 0.9, read: 0.3, delete: 0.1, gibMonth: 0.15 },
  nam5: { write: 1.8, read: 0.6, delete: 0.2, gibMonth: 0.18 },
} as const satisfies Record<string, FirestorePrices>;
export type Region = keyof typeof FIRESTORE;
/** A day, of one database of a project. What TTL deletes is never free. */
export const FREE_A_DAY = { writes: 20_000, reads: 50_000 };

const TIB = 2 ** 40;
export const GIB = 2 ** 30;
/** Published and delivered are counted each; a request counts as this many bytes at least. */
export const PUBSUB = { byte: 40 / TIB, bytesLeast: 1_024, freeBytesAMonth: 10 * GIB };

/** Tier 1, billed while requests are served. `idle`: of instances that are kept. */
export const RUN = {
  vcpuSecond: 0.000_024,
  gibSecond: 0.000_002_5,
  request: 0.4 / 1_000_000,
  idleVcpuSecond: 0.000_002_5,
  idleGibSecond: 0.000_002_5,
};
/** A job of Cloud Scheduler for a month; three are free. */
export const SCHEDULER = { job: 0.1, free: 3 };
