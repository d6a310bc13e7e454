/** `infra/firestore.json` against the code: each query has its index, each index its query, and nothing else is indexed. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type CallExpression, parseSync, Visitor } from 'oxc-parser';
import { beforeAll, describe, expect, test } from 'vitest';
import { JOB_FIELDS } from '../../shared/adapters/firestore-queries.ts';
import { askEverything } from '../support/firestore-asked.ts';
import { type FirestoreIndexes, serve } from '../support/firestore-indexes.ts';
import type { FirestoreRecorder } from '../support/firestore-recorder.ts';
import { type Demand, demandOf, firestoreFindings, nameOf } from '../support/infra-firestore.ts';

const ROOT = join(import.meta.dirname, '../..');
const ADAPTERS = join(ROOT, 'shared/adapters');
const real: FirestoreIndexes = JSON.parse(readFileSync(join(ROOT, 'infra/firestore.json'), 'utf8'));

let asked: FirestoreRecorder;
let demand: Demand;
beforeAll(async () => {
  asked = await askEverything();
  demand = demandOf(asked.queries, asked.writes);
});

/** What the rules find in a copy of the real file that was changed. */
function broken(change: (copy: { [K in keyof FirestoreIndexes]: FirestoreIndexes[K][number][] }) => void): string[] {
  const copy = structuredClone(real);
  change(copy as never);
  return firestoreFindings(copy, demand);
}
const without = <T extends object>(rows: T[], gone: Partial<T>) =>
  rows.filter((row) => !Object.entries(gone).every(([name, value]) => String(row[name as keyof T]) === String(value)));

test('every query is served, every index is needed, everything else is exempt, what is to go by itself does', () => {
  expect(firestoreFindings(real, demand)).toEqual([]);
});

describe('is found:', () => {
  test.each(real.indexes.map(({ fields }) => [fields.join(', '), fields]))('no index %s', (name, fields) => {
    const found = broken((copy) => {
      copy.indexes = without(copy.indexes, { fields });
    });
    const served = demand.needs
      .filter((need) => {
        const by = serve(real, need);
        return by?.by?.[0]?.fields === fields && !by.merged;
      })
      .map(nameOf);
    expect([name, served.length > 0]).toEqual([name, true]);
    expect(found.map((finding) => finding.replace(/^no index (of its own )?serves /, ''))).toEqual(
      expect.arrayContaining(served),
    );
  });

  test('an index in another order', () => {
    const found = broken((copy) => {
      copy.indexes = copy.indexes.map((index) =>
        index.fields.join() === 'wakeShard,wakeAt' ? { ...index, fields: ['wakeShard', 'wakeAt desc'] } : index,
      );
    });
    expect(found).toEqual([
      'no index serves jobs by wakeShard; in the order of wakeAt',
      'no query needs the index jobs: wakeShard, wakeAt desc',
    ]);
  });

  test('an index that no query needs, and one that all tenants write to in the same place', () => {
    const found = broken((copy) => {
      copy.indexes.push({ collection: 'jobs', fields: ['state', 'createdAt desc'], why: '' });
    });
    expect(found).toEqual([
      'no query needs the index jobs: state, createdAt desc',
      'the index jobs: state, createdAt desc begins with neither of: tenant, wakeShard',
    ]);
  });

  test.each(['jobs', 'cancels', 'chunks', 'parts', 'leaders'])('no TTL of %s', (collection) => {
    const found = broken((copy) => {
      copy.fields = copy.fields.map((rule) => (rule.collection === collection ? { ...rule, ttl: undefined } : rule));
    });
    expect(found).toEqual([`${collection}.deleteAt has no TTL`]);
  });

  test('a TTL of something else', () => {
    const found = broken((copy) => {
      copy.fields.push({ collection: 'jobs', field: 'expiresAt', indexes: [], ttl: true, why: '' });
    });
    expect(found).toEqual(['jobs.expiresAt has a TTL, and nothing writes it']);
  });

  test.each(real.fields.filter(({ field }) => field === '*').map(({ collection }) => collection))(
    'no exemption of %s',
    (collection) => {
      const found = broken((copy) => {
        copy.fields = without(copy.fields, { collection, field: '*' });
      });
      expect(found).toContain(`no query needs the single-field index of ${collection}.… (asc)`);
      expect(found.every((finding) => finding.includes(` ${collection}.`))).toBe(true);
    },
  );

  test('without the exemption of jobs: each of their fields, but for the one with a row of its own', () => {
    const found = broken((copy) => {
      copy.fields = without(copy.fields, { collection: 'jobs', field: '*' });
    });
    const fields = ['input', ...JOB_FIELDS].filter((field) => field !== 'deleteAt');
    for (const field of fields) {
      const wanted = ['asc', 'desc', 'contains'].map(
        (way) => `no query needs the single-field index of jobs.${field} (${way})`,
      );
      expect(found.filter((finding) => finding.includes(` jobs.${field} `))).toEqual(wanted);
    }
  });

  test.each(['createdAt', 'wakeAt', 'leaseExpiresAt', 'deleteAt'])('an index of what only rises: jobs.%s', (field) => {
    const found = broken((copy) => {
      copy.fields = [
        { collection: 'jobs', field, indexes: ['asc'], ttl: field === 'deleteAt', why: '' },
        ...without(copy.fields, { collection: 'jobs', field }),
      ];
    });
    expect(found).toEqual([`no query needs the single-field index of jobs.${field} (asc)`]);
  });

  test.each([
    ['cancels', 'instance', 'cancels by instance; in the order of their names'],
    ['parts', 'set', 'parts by set; in the order of their names'],
    ['parts', 'checkAt', 'all parts by nothing; in the order of checkAt'],
    ['api_keys', 'tenant', 'api_keys by tenant; in the order of their names'],
  ])('no single-field index of %s.%s', (collection, field, need) => {
    const found = broken((copy) => {
      copy.fields = without(copy.fields, { collection, field });
    });
    expect(found).toEqual([`no index serves ${need}`]);
  });

  test('a single-field index of one collection where all are asked', () => {
    const found = broken((copy) => {
      copy.fields = copy.fields.map((rule) => (rule.field === 'checkAt' ? { ...rule, indexes: ['asc'] } : rule));
    });
    expect(found).toEqual([
      'no index serves all parts by nothing; in the order of checkAt',
      'no query needs the single-field index of parts.checkAt (asc)',
    ]);
  });

  test('a row of what there is not', () => {
    const found = broken((copy) => {
      copy.fields.push({ collection: 'jobz', field: '*', indexes: [], why: '' });
    });
    expect(found).toEqual(['nothing writes jobz.*']);
  });

  test('a query that is added without an index', () => {
    const query = {
      from: [{ collectionId: 'jobs' }],
      where: { fieldFilter: { field: { fieldPath: 'requestId' }, op: 'EQUAL' } },
    };
    const queries = [...asked.queries, { query, sums: [] }];
    expect(firestoreFindings(real, demandOf(queries, asked.writes))).toEqual([
      'no index serves jobs by requestId; in the order of their names',
    ]);
  });
});

test('only lists that are narrowed in two ways or more rely on merged indexes', () => {
  const merged = demand.needs.filter((need) => {
    const served = serve(real, need);
    return served?.merged;
  });
  expect(merged.length).toBeGreaterThan(100);
  for (const { equal, sorted } of merged) {
    expect(sorted).toEqual(['createdAt desc']);
    expect(equal.filter((field) => field !== 'tenant' && field !== 'user').length).toBeGreaterThan(1);
  }
});

test('nothing is asked of Firestore that was not asked here', () => {
  const adapters = readdirSync(ADAPTERS).filter((name) => name.startsWith('firestore-'));
  const calls = adapters.flatMap((name) => callsIn(join(ADAPTERS, name)));
  expect(calls.length).toBeGreaterThan(25);
  expect(calls.filter((call) => !asked.sites.has(call))).toEqual([]);
});

/** The calls of a database's methods that need an index or write fields, as the recorder names them. */
function callsIn(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const found: string[] = [];
  const note = ({ callee }: CallExpression) => {
    if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return;
    const isDatabase = callee.object.type === 'Identifier' && callee.object.name === 'database';
    const method = callee.property.name;
    if (!isDatabase || !['commit', 'query', 'count', 'sums', 'listen'].includes(method)) return;
    const line = text.slice(0, callee.start).split('\n').length;
    found.push(`${basename(path)}:${line} ${method}`);
  };
  new Visitor({ CallExpression: note }).visit(parseSync(path, text).program);
  return found;
}
