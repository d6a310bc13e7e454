/**
 * A job as a Firestore document and back, in the shape of the wire (`google.firestore.v1.Value`), for the low-level
 * client knows no other. Fields whose name ends in `At` are timestamps. `input`, `result` and `metadata` are JSON text:
 * Firestore takes no arrays within arrays, no more than 20 levels and not every name, and text need not be indexed.
 *
 * @see https://firebase.google.com/docs/firestore/reference/rest/v1/Value
 */
import type { Job, Json } from '../core/job.ts';

export type Timestamp = { seconds?: number | string | { toString(): string } | null; nanos?: number | null };
export type Value = {
  nullValue?: 'NULL_VALUE' | 0 | null;
  booleanValue?: boolean | null;
  integerValue?: number | string | { toString(): string } | null;
  doubleValue?: number | null;
  stringValue?: string | null;
  timestampValue?: Timestamp | null;
  arrayValue?: { values?: Value[] | null } | null;
  referenceValue?: string | null;
  mapValue?: { fields?: Record<string, Value> | null } | null;
};
export type Fields = Record<string, Value>;
export type Document = {
  name?: string | null;
  fields?: Fields | null;
  createTime?: Timestamp | null;
  updateTime?: Timestamp | null;
};

const JSON_FIELDS: ReadonlySet<string> = new Set(['input', 'result', 'metadata']);

/** Top-level fields of a document; those that are `undefined` are left out. */
export function toFields(document: Record<string, unknown>): Fields {
  const fields: Fields = {};
  for (const [name, value] of Object.entries(document)) {
    if (value === undefined) continue;
    fields[name] = JSON_FIELDS.has(name) ? { stringValue: JSON.stringify(value) } : toValue(name, value);
  }
  return fields;
}

/** The job in a document, without its input. */
export function fromFields(fields: Fields): Job {
  const { input: _, ...rest } = fields;
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, fromField(name, value)])) as Job;
}

/** The input in a document. */
export function inputOf(fields: Fields): Json {
  return fromField('input', fields.input ?? { stringValue: 'null' }) as Json;
}

/** Milliseconds since the epoch. */
export function toMs({ seconds, nanos }: Timestamp): number {
  return Number(String(seconds ?? 0)) * 1_000 + Math.floor((nanos ?? 0) / 1_000_000);
}

/** What names one state of a document. */
export function toRevision({ seconds, nanos }: Timestamp): string {
  return `${seconds ?? 0}.${nanos ?? 0}`;
}

export function fromRevision(revision: string): Timestamp {
  const [seconds = '0', nanos = '0'] = revision.split('.');
  return { seconds, nanos: Number(nanos) };
}

function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: Math.round((ms - seconds * 1_000) * 1_000_000) };
}

function toValue(name: string, value: unknown): Value {
  if (value === null) return { nullValue: 'NULL_VALUE' };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { booleanValue: value };
  if (typeof value === 'number') {
    if (name.endsWith('At')) return { timestampValue: toTimestamp(value) };
    return Number.isInteger(value) ? { integerValue: value } : { doubleValue: value };
  }
  if (Array.isArray(value)) return { arrayValue: { values: value.map((item) => toValue('', item)) } };
  return { mapValue: { fields: toFields(value as Record<string, unknown>) } };
}

function fromField(name: string, value: Value): unknown {
  return JSON_FIELDS.has(name) ? JSON.parse(value.stringValue ?? 'null') : fromValue(value);
}

function fromValue(value: Value): unknown {
  if (value.stringValue != null) return value.stringValue;
  if (value.booleanValue != null) return value.booleanValue;
  if (value.integerValue != null) return Number(String(value.integerValue));
  if (value.doubleValue != null) return value.doubleValue;
  if (value.timestampValue != null) return toMs(value.timestampValue);
  if (value.arrayValue != null) return (value.arrayValue.values ?? []).map(fromValue);
  if (value.mapValue != null) {
    return Object.fromEntries(
      Object.entries(value.mapValue.fields ?? {}).map(([name, item]) => [name, fromField(name, item)]),
    );
  }
  return null;
}
