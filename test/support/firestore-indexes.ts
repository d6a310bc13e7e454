/**
 * Which indexes serve a query, by Firestore's published rules: one whose fields are those of the equality filters in any
 * order, then those that it sorts by in its order, then those that it sums up; or, where it has several equality filters, several such indexes that
 * end in the same way and together have all of these fields ("index merging"). A range sorts by its field.
 *
 * @see https://firebase.google.com/docs/firestore/query-data/index-overview
 */
import type { Filter, RecordedQuery } from './firestore-recorder.ts';

/** `fields` as in `infra/firestore.json`: `createdAt desc`, `tags contains`, or a path alone: ascending. */
export type CompositeIndex = { collection: string; fields: readonly string[]; why: string };
/** What holds for one field, or with `*` for those of a collection that have no own row. No indexes: it is exempt. */
export type FieldRule = {
  collection: string;
  field: string;
  /** `asc`, `desc` or `contains`, with ` group` after it over all collections of that name. */
  indexes: readonly string[];
  ttl?: boolean | undefined;
  why: string;
};
export type FirestoreIndexes = { indexes: readonly CompositeIndex[]; fields: readonly FieldRule[] };

/** What a query asks of an index. */
export type Need = {
  collection: string;
  isGroup: boolean;
  /** The fields of the equality filters, as an index has them. */
  equal: string[];
  /** Everything after those. */
  sorted: string[];
};
/** By composite indexes (`merged`: none of them has all fields), by that of one field, or by the names of documents. */
export type Served = { by?: readonly CompositeIndex[]; merged?: boolean; bySingle?: string };

const NAME = '__name__';
/** What every field has of which nothing is said. */
const AUTOMATIC = ['asc', 'desc', 'contains'];

export function needOf({ query, sums }: RecordedQuery): Need {
  const { collectionId = '', allDescendants = false } = query.from?.[0] ?? {};
  const filters = flat(query.where);
  const equal = filters.flatMap(({ path, op }) => {
    if (op === 'EQUAL' || op === 'IN') return [path];
    return op === 'ARRAY_CONTAINS' ? [`${path} contains`] : [];
  });
  const ranges = filters.filter(({ op }) => /^(LESS|GREATER)_THAN/.test(op)).map(({ path }) => path);
  const unknown = filters.length - equal.length - ranges.length;
  if (unknown > 0) throw new Error(`a filter of a kind that is not known here: ${JSON.stringify(query.where)}`);
  const orders = (query.orderBy ?? []).map(({ field, direction }) => ({
    path: field?.fieldPath ?? '',
    isDown: direction === 'DESCENDING',
  }));
  // What is not sorted by but has to be goes the way of the last one.
  const isDown = orders.at(-1)?.isDown ?? false;
  const more = [...ranges, ...sums].filter((path, index, all) => all.indexOf(path) === index);
  const missing = more.filter((path) => !orders.some((order) => order.path === path));
  const sorted = [...orders, ...missing.map((path) => ({ path, isDown }))]
    .filter(({ path }) => path !== NAME)
    .map((order) => (order.isDown ? `${order.path} desc` : order.path));
  return { collection: collectionId, isGroup: allDescendants, equal: [...new Set(equal)], sorted };
}

function flat(filter: Filter | undefined): { path: string; op: string }[] {
  if (!filter) return [];
  const { compositeFilter, fieldFilter } = filter;
  if (compositeFilter) return (compositeFilter.filters ?? []).flatMap(flat);
  return [{ path: fieldFilter?.field?.fieldPath ?? '', op: String(fieldFilter?.op) }];
}

/** What serves this need; `undefined`: nothing does. */
export function serve({ indexes, fields }: FirestoreIndexes, need: Need): Served | undefined {
  const { collection, isGroup, equal, sorted } = need;
  if (equal.length + sorted.length === 0 && !isGroup) return {};
  if (equal.length + sorted.length === 1) {
    const [path = '', way = 'asc'] = [...equal, ...sorted].join('').split(' ');
    const wanted = `${way}${isGroup ? ' group' : ''}`;
    return singleIndexes(fields, collection, path).includes(wanted) ? { bySingle: `${collection}.${path}` } : undefined;
  }
  if (isGroup) return undefined;
  const fitting = indexes.filter((index) => {
    const first = index.fields.slice(0, index.fields.length - sorted.length);
    const rest = index.fields.slice(first.length);
    const isPrefix = first.length > 0 && first.every((field) => equal.includes(field));
    return index.collection === collection && isPrefix && rest.join() === sorted.join();
  });
  const whole = fitting.find((index) => index.fields.length === equal.length + sorted.length);
  if (whole) return { by: [whole] };
  const covers = equal.every((field) => fitting.some((index) => index.fields.includes(field)));
  return covers ? { by: fitting, merged: true } : undefined;
}

/** The single-field indexes that a field has: by its own row, by that of its parent, of its collection, or by default. */
export function singleIndexes(fields: readonly FieldRule[], collection: string, path: string): readonly string[] {
  const names = path.split('.');
  const candidates = [...names.map((_, index) => names.slice(0, names.length - index).join('.')), '*'];
  for (const candidate of candidates) {
    const rule = fields.find((one) => one.collection === collection && one.field === candidate);
    if (rule) return rule.indexes;
  }
  return AUTOMATIC;
}
