/** Lists as queries of the high-level client, which alone can be listened to. What is asked is what `listQuery` asks. */
import type { Firestore, Query, QueryDocumentSnapshot, QuerySnapshot, WhereFilterOp } from '@google-cloud/firestore';
import type { NewestQuery, StoredJob } from '../core/ports.ts';
import { fromSnapshot, snapshotMs } from './firestore-document.ts';

/**
 * The query of a list. Whole documents come, inputs and all: "'select' clauses are not supported for real-time queries", of
 * which the emulator says nothing.
 *
 * @see https://github.com/googleapis/nodejs-firestore/issues/1090
 */
export function listenedList(firestore: Firestore, query: NewestQuery): Query {
  const filters: [path: string, op: WhereFilterOp, value: string | undefined][] = [
    ['tenant', '==', query.tenant],
    ['user', '==', query.user],
    ['state', '==', query.state],
    ['jobType', '==', query.jobType],
    ['model.id', '==', query.modelId],
    ['questionId', '==', query.questionId],
    ['projectId', '==', query.projectId],
    ['batchId', '==', query.batchId],
    ['arm', '==', query.arm],
    ['tags', 'array-contains', query.tag],
  ];
  const given = filters.filter(([, , value]) => value !== undefined);
  const found = given.reduce<Query>((narrowed, filter) => narrowed.where(...filter), firestore.collection('jobs'));
  return found.orderBy('createdAt', 'desc').orderBy('__name__', 'desc').limit(query.limit);
}

/** The jobs of such a query, time after time: of those that have not changed the documents are the same, and not read again. */
export function jobsListened(): (snapshot: QuerySnapshot) => StoredJob[] {
  const read = new WeakMap<QueryDocumentSnapshot, StoredJob>();
  return ({ docs, readTime }) =>
    docs.map((document) => {
      const stored = read.get(document) ?? fromSnapshot(document);
      read.set(document, stored);
      return { ...stored, readAtMs: snapshotMs(readTime) };
    });
}
