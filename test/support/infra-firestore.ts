/** What is wrong with `infra/firestore.json`, given what the adapters ask of Firestore and write to it: one sentence each. */
import { type FirestoreIndexes, type Need, needOf, type Served, serve, singleIndexes } from './firestore-indexes.ts';
import type { RecordedQuery, RecordedWrite } from './firestore-recorder.ts';

/** What the code asks of its indexes: the needs of its queries, and by collection the fields that it writes. */
export type Demand = { needs: readonly Need[]; written: Written };
type Written = ReadonlyMap<string, ReadonlySet<string>>;

/** The field of every collection whose documents go by themselves. */
const TTL_FIELD = 'deleteAt';
/** By these a collection's writes are spread. */
const SPREAD_BY = ['tenant', 'wakeShard'];

/** What whoever lists or sums up jobs has to say in any case. */
const OWNER = ['tenant', 'user'];

export function demandOf(queries: readonly RecordedQuery[], writes: readonly RecordedWrite[]): Demand {
  const written = new Map<string, Set<string>>();
  for (const { collection, fields } of writes) {
    written.set(collection, new Set([...(written.get(collection) ?? []), ...fields]));
  }
  const needs = new Map(queries.map(needOf).map((need) => [nameOf(need), need]));
  return { needs: [...needs.values()], written };
}

export function firestoreFindings(indexes: FirestoreIndexes, { needs, written }: Demand): string[] {
  return [
    ...unserved(indexes, needs),
    ...idle(indexes, needs),
    ...unspread(indexes),
    ...indexedInVain(indexes, needs, written),
    ...wrongTtl(indexes, written),
    ...unwritten(indexes, written),
  ];
}

/** What is asked every day has an index of its own; what is narrowed in several ways at once may have several, merged. */
function unserved(indexes: FirestoreIndexes, needs: readonly Need[]): string[] {
  return needs.flatMap((need) => {
    const served = serve(indexes, need);
    if (!served) return [`no index serves ${nameOf(need)}`];
    const isNarrow = need.equal.filter((field) => !OWNER.includes(field)).length > 1;
    return served.merged && !isNarrow ? [`no index of its own serves ${nameOf(need)}`] : [];
  });
}

/** Without these all queries would be served as they are. */
function idle(indexes: FirestoreIndexes, needs: readonly Need[]): string[] {
  const worth = (served: Served | undefined) =>
    served === undefined ? 0 : 'merged' in served && served.merged ? 1 : 2;
  const asIs = needs.map((need) => worth(serve(indexes, need)));
  return indexes.indexes
    .filter((index) => {
      const others = { ...indexes, indexes: indexes.indexes.filter((other) => other !== index) };
      return needs.every((need, n) => worth(serve(others, need)) === asIs[n]);
    })
    .map(({ collection, fields }) => `no query needs the index ${collection}: ${fields.join(', ')}`);
}

function unspread({ indexes }: FirestoreIndexes): string[] {
  return indexes
    .filter(({ fields }) => !SPREAD_BY.includes(fields[0] ?? ''))
    .map(
      ({ collection, fields }) =>
        `the index ${collection}: ${fields.join(', ')} begins with neither of: ${SPREAD_BY.join(', ')}`,
    );
}

/** Each index makes each write dearer, and one of a field that only rises caps them all at 500 a second. */
function indexedInVain({ fields, indexes }: FirestoreIndexes, needs: readonly Need[], written: Written): string[] {
  const needed = new Set(
    needs.flatMap((need) => {
      const served = serve({ fields, indexes }, need);
      return served?.bySingle ? [`${served.bySingle} ${wayOf(need)}`] : [];
    }),
  );
  return [...written].flatMap(([collection, names]) =>
    // The last stands for what later versions write.
    [...names, '…'].flatMap((name) =>
      singleIndexes(fields, collection, name)
        .filter((way) => !needed.has(`${collection}.${name} ${way}`))
        .map((way) => `no query needs the single-field index of ${collection}.${name} (${way})`),
    ),
  );
}

function wayOf({ equal, sorted, isGroup }: Need): string {
  const [, way = 'asc'] = [...equal, ...sorted].join('').split(' ');
  return `${way}${isGroup ? ' group' : ''}`;
}

function wrongTtl({ fields }: FirestoreIndexes, written: Written): string[] {
  const wanted = [...written]
    .filter(([, names]) => names.has(TTL_FIELD))
    .map(([collection]) => `${collection}.${TTL_FIELD}`);
  const given = fields.filter(({ ttl }) => ttl).map(({ collection, field }) => `${collection}.${field}`);
  return [
    ...wanted.filter((name) => !given.includes(name)).map((name) => `${name} has no TTL`),
    ...given.filter((name) => !wanted.includes(name)).map((name) => `${name} has a TTL, and nothing writes it`),
  ];
}

function unwritten({ fields, indexes }: FirestoreIndexes, written: Written): string[] {
  const named = [
    ...fields.map(({ collection, field }) => ({ collection, field })),
    ...indexes.flatMap((index) => index.fields.map((field) => ({ collection: index.collection, field }))),
  ];
  const isWritten = ({ collection, field }: { collection: string; field: string }) => {
    const [top = ''] = field.split(/[. ]/);
    return written.has(collection) && (top === '*' || written.get(collection)?.has(top));
  };
  return named.filter((one) => !isWritten(one)).map(({ collection, field }) => `nothing writes ${collection}.${field}`);
}

/** A need, in words. */
export function nameOf({ collection, isGroup, equal, sorted }: Need): string {
  return `${isGroup ? 'all ' : ''}${collection} by ${[...equal].sort().join(', ') || 'nothing'}; in the order of ${sorted.join(', ') || 'their names'}`;
}
