/** Which calls make the indexes of a database, and when they count as made; a server notes them, and is as slow as told. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import firestore from '../../infra/firestore.json' with { type: 'json' };
import { callsFor, makeIndexes } from '../gcp/indexes.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Answers each call with an operation, which is over at the `polls`th question; `odd` answers in its place. */
async function adminApi(
  polls: number,
  odd: (n: number, path: string) => [number, object] | undefined = () => undefined,
) {
  const made: string[] = [];
  const asked = new Map<string, number>();
  let calls = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const answer = (status: number, body: object) => response.writeHead(status).end(JSON.stringify(body));
    const other = odd(calls++, path);
    if (other) {
      answer(...other);
      return;
    }
    if (request.method !== 'GET') {
      made.push(`${request.method} ${path} ${request.headers.authorization}`);
      answer(200, { name: `operations/${made.length}` });
      return;
    }
    const times = (asked.get(path) ?? 0) + 1;
    asked.set(path, times);
    answer(200, { name: path.slice(1), ...(times >= polls ? { done: true } : {}) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return { made, asked, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const options = (baseUrl: string) => ({
  ...{ project: 'demo-p', database: 'd', baseUrl, pauseMs: 5 },
  headers: async () => new Headers({ authorization: 'Bearer t' }),
});

test('each row is one call, in the words of the admin API', () => {
  const calls = callsFor(firestore);
  expect(calls).toHaveLength(firestore.indexes.length + firestore.fields.length);
  const bodyOf = (path: string) => calls.find((call) => call.path === path)?.body;
  expect(calls.map(({ body }) => body)).toContainEqual({
    queryScope: 'COLLECTION',
    fields: [
      { fieldPath: 'tenant', order: 'ASCENDING' },
      { fieldPath: 'tags', arrayConfig: 'CONTAINS' },
      { fieldPath: 'createdAt', order: 'DESCENDING' },
    ],
  });
  expect(bodyOf('collectionGroups/jobs/fields/*?updateMask=indexConfig')).toEqual({ indexConfig: { indexes: [] } });
  expect(bodyOf('collectionGroups/parts/fields/checkAt?updateMask=indexConfig')).toEqual({
    indexConfig: {
      indexes: [{ queryScope: 'COLLECTION_GROUP', fields: [{ fieldPath: 'checkAt', order: 'ASCENDING' }] }],
    },
  });
});

test('all are made with credentials, and waited for', async () => {
  const { made, asked, baseUrl } = await adminApi(3);
  await makeIndexes(options(baseUrl));
  expect(made).toHaveLength(firestore.indexes.length + firestore.fields.length);
  expect(made[0]).toBe('POST /projects/demo-p/databases/d/collectionGroups/jobs/indexes Bearer t');
  expect([...asked.values()]).toEqual(made.map(() => 3));
});

test('one that is there stays, one too many comes again', async () => {
  const odds: Readonly<Record<number, [number, object]>> = {
    0: [409, { error: { status: 'ALREADY_EXISTS' } }],
    1: [429, {}],
    2: [409, { error: { status: 'ABORTED' } }],
  };
  const { made, baseUrl } = await adminApi(1, (n) => odds[n]);
  await makeIndexes(options(baseUrl));
  expect(made).toHaveLength(firestore.indexes.length + firestore.fields.length - 1);
});

test.each<[string, (n: number, path: string) => [number, object] | undefined, string]>([
  ['is refused', (n) => (n === 2 ? [403, { error: 'not yours' }] : undefined), 'answered 403: {"error":"not yours"}'],
  [
    'fails',
    (_, path) =>
      path === '/operations/4' ? [200, { name: 'operations/4', error: { message: 'too big' } }] : undefined,
    'operations/4 failed: too big',
  ],
])('one that %s stops the run with a sentence', async (_, odd, sentence) => {
  const { baseUrl } = await adminApi(1, odd);
  await expect(makeIndexes(options(baseUrl))).rejects.toThrow(sentence);
});
