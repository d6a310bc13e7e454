/**
 * What a stream of listeners says, as each target's snapshots. Pure.
 *
 * @see https://firebase.google.com/docs/firestore/reference/rpc/google.firestore.v1#listenresponse
 */
import { type Document, type Timestamp, toRevision } from './firestore-document.ts';

/** What is listened to: documents by name, or what a query finds. */
export type Target =
  | { documents: { documents: string[] } }
  | { query: { parent: string; structuredQuery: Record<string, unknown> } };

/** What differs from the snapshot before; of the first one, all that there is. */
export type Snapshot = {
  /** By name, in any order; `undefined` for one that is gone. */
  changes: ReadonlyMap<string, Document | undefined>;
  readAtMs: number;
};

type Ids = readonly number[] | null;
export type ListenResponse = {
  targetChange?: {
    targetChangeType?: 'NO_CHANGE' | 'ADD' | 'REMOVE' | 'CURRENT' | 'RESET';
    targetIds?: Ids;
    cause?: { code?: number; message?: string } | null;
    readTime?: Timestamp | null;
    resumeToken?: Uint8Array | null;
  } | null;
  documentChange?: { document?: Document | null; targetIds?: Ids; removedTargetIds?: Ids } | null;
  documentDelete?: { document?: string; removedTargetIds?: Ids } | null;
  documentRemove?: { document?: string; removedTargetIds?: Ids } | null;
  filter?: { targetId?: number; count?: number } | null;
};

/** One target's share in what a stream says. */
export type Snapshots = {
  change(name: string, document: Document | undefined): void;
  /** Everything that matches has been said. */
  current(): void;
  isCurrent(): boolean;
  /** Everything that matches is going to be said again, as the emulator does after each change of a collection. */
  reset(): void;
  /** What differs from what was told is going to be said. */
  resume(): void;
  /** How many documents it is, as far as is known. */
  size(): number;
  /** All has been said up to this moment: what there is to tell, if anything. */
  at(readAtMs: number): Snapshot | undefined;
};

/** `isAppendOnly`: what was told is not known any more. */
export function snapshotsOf(isAppendOnly: boolean): Snapshots {
  /** When each document that was told of was written, by name. */
  const told = new Map<string, string>();
  let changes = new Map<string, Document | undefined>();
  let isCurrent = false;
  let isFirst = true;

  return {
    change(name, document) {
      const isTold = told.get(name) === (document && toRevision(document.updateTime ?? {}));
      if (isTold) changes.delete(name);
      else changes.set(name, document);
    },
    current() {
      isCurrent = true;
    },
    isCurrent: () => isCurrent,
    reset() {
      // What is not said again is gone.
      changes = new Map([...told.keys()].map((name) => [name, undefined]));
      isCurrent = false;
    },
    resume() {
      changes = new Map();
      isCurrent = false;
    },
    size() {
      const names = new Set(told.keys());
      for (const [name, document] of changes) document ? names.add(name) : names.delete(name);
      return names.size;
    },
    at(readAtMs) {
      if (!isCurrent || (changes.size === 0 && !isFirst)) return undefined;
      const snapshot = { changes, readAtMs };
      for (const [name, document] of isAppendOnly ? [] : changes) {
        if (document) told.set(name, toRevision(document.updateTime ?? {}));
        else told.delete(name);
      }
      changes = new Map();
      isFirst = false;
      return snapshot;
    },
  };
}
