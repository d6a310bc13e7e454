/** `tags`, `metadata`, `stream`, `ttl_seconds`, `project_id` and `max_cost`: by every way in, in every view, and what is refused. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toFieldErrors } from '../../shared/core/field-errors.ts';
import { publishedSubmissionSchema, toSubmission } from '../../shared/job-types/submission.ts';
import {
  general,
  LIST,
  openApp,
  type Reply,
  resultOf,
  SUBMIT,
  statusOf,
  type TestApp,
  TRAINER,
} from '../support/app.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const WORD = 'must be 1 to 64 characters';
const VALUE = 'must have at most 512 characters';
const PROJECT = 'must be 1 to 128 characters, or a whole number';
const MAX_COST = 'must be a number of US dollars above 0, at most 1000';
const TTL = 'must be a whole number of seconds from 60 to 7776000';
const NAMES = ['a.b', '__x__', '`', ' ', '👨‍👩‍👧‍👦', 'constructor', 'toString', 'createdAt', 'é', '', '\u0000', '"\\'];
/** Of what can be kept at most: 10 tags, 16 pairs, 64 and 512 characters. */
const MOST = {
  tags: ['x'.repeat(64), 'same', 'same', ...NAMES.filter((name) => name !== '').slice(0, 7)],
  metadata: Object.fromEntries([
    ...NAMES.filter((name) => name !== '').map((name, index) => [name, String(index)]),
    ['x'.repeat(64), '分'.repeat(512)],
    ['empty', ''],
    ['much', 'y'.repeat(512)],
    ['b', '1'],
    ['c', '2'],
  ]),
};

const DOORS: [string, string, () => string, object][] = [
  ['a submit', 'POST', () => SUBMIT, general({ prompt: 'Hello.' })],
  ['a PUT', 'PUT', () => `/api/llm/jobs/${crypto.randomUUID()}/`, general({ prompt: 'Hello.' })],
  ['a trainer analysis', 'POST', () => TRAINER, { model_id: 'simulated', full_input: 'Hello.' }],
];

let api: TestApp;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());

const send = (method: string, path: string, text: string, headers = {}): Promise<Reply> =>
  api.send(method, path, { body: text, headers: { ...JSON_TYPE, ...headers } });

/** What is wrong with each, as JSON, and how it is named. */
const WRONG: [string, string, string][] = [
  ['"tags":"mine"', 'tags', 'must be an array'],
  ['"tags":null', 'tags', 'must be an array'],
  ['"tags":[1]', 'tags.0', 'must be a string'],
  ['"tags":[""]', 'tags.0', WORD],
  [`"tags":["a","${'x'.repeat(65)}"]`, 'tags.1', WORD],
  [`"tags":${JSON.stringify(Array(11).fill('a'))}`, 'tags', 'must hold at most 10 tags'],
  ['"tags":["a\\ud800"]', 'tags.0', 'lone surrogate'],
  ['"metadata":[]', 'metadata', 'must be an object'],
  ['"metadata":"a"', 'metadata', 'must be an object'],
  ['"metadata":null', 'metadata', 'must be an object'],
  ['"metadata":{"a":1}', 'metadata.a', 'must be a string'],
  ['"metadata":{"a":null}', 'metadata.a', 'must be a string'],
  [`"metadata":{"a":"${'x'.repeat(513)}"}`, 'metadata.a', VALUE],
  ['"metadata":{"":"a"}', 'metadata.""', `its name ${WORD}`],
  [`"metadata":{"${'x'.repeat(65)}":"a"}`, `metadata.${'x'.repeat(65)}`, `its name ${WORD}`],
  ['"metadata":{"__proto__":"a"}', 'metadata.__proto__', 'a name that cannot be kept'],
  ['"metadata":{"__proto__":{"a":"b"},"a":"b"}', 'metadata.__proto__', 'a name that cannot be kept'],
  ['"metadata":{"a":"\\udc00"}', 'metadata.a', 'lone surrogate'],
  ['"metadata":{"\\udc00":"a"}', 'metadata', 'lone surrogate'],
  [
    `"metadata":${JSON.stringify(Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, 'v'])))}`,
    'metadata',
    'must hold at most 16 pairs',
  ],
  ...['59', '7776001', '0', '-60', '60.5', '1e300', '"x"', '"60"', 'null', 'true', '[60]', '{}'].map(
    (value): [string, string, string] => [`"ttl_seconds":${value}`, 'ttl_seconds', TTL],
  ),
  ...['""', `"${'x'.repeat(129)}"`, 'null', '1.5', 'true', '[]', '{}', '1e300'].map(
    (value): [string, string, string] => [`"project_id":${value}`, 'project_id', PROJECT],
  ),
  ['"project_id":"a\\ud800"', 'project_id', 'lone surrogate'],
  ...['0', '-0.01', '1000.01', '1e300', '"1"', 'null', 'true'].map((value): [string, string, string] => [
    `"max_cost":${value}`,
    'max_cost',
    MAX_COST,
  ]),
  ...['1', '"true"', 'null'].map((value): [string, string, string] => [`"stream":${value}`, 'stream', 'must be a']),
];

describe.each(DOORS)('%s', (_, method, path, body) => {
  const withText = (fields: string) => JSON.stringify(body).replace(/}$/, () => `,${fields}}`);

  test.each(WRONG)('with %s is refused at %s', async (fields, at, words) => {
    const before = (await api.get(`${LIST}?limit=100`)).body.jobs.length;
    const { status, body: refused } = await send(method, path(), withText(fields));
    expect([status, refused.code]).toEqual([400, 'invalid_request']);
    expect(refused.details).toEqual([{ path: at, message: expect.stringContaining(words) }]);
    expect(refused.error).toBe(`${at}: ${refused.details[0].message}`);
    expect((await api.get(`${LIST}?limit=100`)).body.jobs).toHaveLength(before);
  });

  test('with the most of all is shown in its answer, status, result and list as it was sent', async () => {
    expect([MOST.tags.length, Object.keys(MOST.metadata).length]).toEqual([10, 16]);
    const shown = { ...MOST, stream: true, project_id: '分'.repeat(128), max_cost: 1_000 };
    const submitted = await send(method, path(), JSON.stringify({ ...body, ...shown, ttl_seconds: 7_776_000 }));
    expect(submitted.status).toBe(202);
    const id = submitted.body.job_id;
    const view = await api.poll(id);
    const { body: result } = await api.get(resultOf(id));
    const listed = (await api.get(`${LIST}?limit=1`)).body.jobs[0];
    for (const seen of [submitted.body, view, result, listed]) {
      const { project_id, max_cost } = shown;
      expect(seen).toMatchObject({ job_id: id, tags: MOST.tags, stream: true, project_id, max_cost });
      expect(Object.entries(seen.metadata)).toEqual(Object.entries(MOST.metadata));
    }
    const lived = (Date.parse(view.expires_at) - Date.parse(view.completed_at)) / 1_000;
    expect([view.ttl_seconds, lived, listed.expires_at]).toEqual([7_776_000, 7_776_000, view.expires_at]);
  });

  test('that says nothing of itself is as one without, and shows nothing', async () => {
    const empty = { tags: [], metadata: {}, stream: false };
    const { status, body: submitted } = await send(method, path(), JSON.stringify({ ...body, ...empty }));
    expect(status).toBe(202);
    for (const seen of [submitted, await api.poll(submitted.job_id)]) {
      for (const name of ['tags', 'metadata', 'stream', 'batch_id']) expect(seen).not.toHaveProperty(name);
    }
    expect((await api.get(statusOf(submitted.job_id))).body.ttl_seconds).toBe(2_592_000);
  });
});

describe('a repeat under the same key', () => {
  const SAID = { tags: ['a', 'b'], metadata: { a: '1', b: '2' }, stream: true, ttl_seconds: 60 };

  test.each<[string, object, object, number]>([
    ['says the same', SAID, { ...SAID, metadata: { b: '2', a: '1' } }, 202],
    ['has another tag', SAID, { ...SAID, tags: ['a', 'c'] }, 409],
    ['has its tags in another order', SAID, { ...SAID, tags: ['b', 'a'] }, 409],
    ['has no tags', SAID, { ...SAID, tags: undefined }, 409],
    ['has other metadata', SAID, { ...SAID, metadata: { a: '1', b: '3' } }, 409],
    ['is not streamed', SAID, { ...SAID, stream: false }, 409],
    ['is of another project', { project_id: 'a' }, { project_id: 'b' }, 409],
    ['may cost more', { max_cost: 1 }, { max_cost: 2 }, 409],
    ['names its project as text', { project_id: 17 }, { project_id: '17' }, 202],
    ['is to be kept for longer', SAID, { ...SAID, ttl_seconds: 61 }, 409],
    ['says that it says nothing', {}, { tags: [], metadata: {}, stream: false }, 202],
    ['does not say that it says nothing', { tags: [], metadata: {}, stream: false }, {}, 202],
  ])('%s', async (what, first, second, expected) => {
    const submit = (extras: object) =>
      api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), ...extras }, { 'Idempotency-Key': what });
    const made = await submit(first);
    const again = await submit(second);
    expect([made.status, again.status]).toEqual([202, expected]);
    if (expected === 202) expect(again.body.job_id).toBe(made.body.job_id);
    else expect(again.body.code).toBe('idempotency_conflict');
  });
});

describe('a published message', () => {
  const parse = (fields: string) =>
    publishedSubmissionSchema.safeParse(
      JSON.parse(JSON.stringify(general({ prompt: 'Hello.' })).replace(/}$/, () => `,${fields}}`)),
    );

  test.each(WRONG.filter(([, , words]) => words !== 'lone surrogate'))(
    'with %s is refused at %s',
    (fields, at, words) => {
      const parsed = parse(fields);
      expect(toFieldErrors(parsed.error?.issues ?? [])).toEqual([
        { path: at, message: expect.stringContaining(words) },
      ]);
    },
  );

  test('brings all of it', () => {
    const own = { project_id: 17, max_cost: 0.1 };
    const fields = JSON.stringify({ ...MOST, ...own, stream: true, ttl_seconds: 60 }).slice(1, -1);
    const { data } = parse(fields);
    expect(data && toSubmission(data)).toMatchObject({
      ...{ ...MOST, stream: true, retentionMs: 60_000 },
      ...{ projectId: '17', nanoUsdMost: 100_000_000 },
    });
  });

  test('is described with the limits', async () => {
    const { body } = await api.get('/api/llm/schemas/published-submission.json');
    for (const { properties } of body.oneOf ?? body.anyOf) {
      expect(properties.tags).toMatchObject({ type: 'array', maxItems: 10, items: { minLength: 1, maxLength: 64 } });
      expect(properties.ttl_seconds).toMatchObject({ type: 'integer', minimum: 60, maximum: 7_776_000 });
      expect(properties.metadata).toMatchObject({
        type: 'object',
        propertyNames: { minLength: 1, maxLength: 64 },
        additionalProperties: { type: 'string', maxLength: 512 },
      });
    }
    const { body: described } = await api.get('/openapi.json');
    const submit = JSON.stringify(described.paths['/api/llm/jobs/submit'].post.requestBody);
    for (const name of ['tags', 'metadata', 'ttl_seconds', 'stream']) expect(submit).toContain(`"${name}"`);
  });
});
