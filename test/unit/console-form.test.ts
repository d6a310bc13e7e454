/** The console's form: fields from a schema, texts to JSON and back, errors to fields. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  drafted,
  formsOf,
  freshDraft,
  type JobForm,
  withJobType,
  withSubmission,
} from '../../functions/console/form/draft.ts';
import { EXAMPLES } from '../../functions/console/form/examples.ts';
import { fieldsOf, leavesOf } from '../../functions/console/form/fields.ts';
import { firstModel } from '../../functions/console/form/model-field.tsx';
import { objectFrom, placed, valuesFrom } from '../../functions/console/form/values.ts';
import { publishedSubmissionSchema } from '../../shared/job-types/submission.ts';
import { openApp, SUBMIT } from '../support/app.ts';

let forms: JobForm[];
beforeAll(async () => {
  const api = await openApp();
  forms = formsOf((await api.get('/api/llm/schemas/published-submission.json')).body);
  await api.close();
});
const formOf = (name: string) => forms.find(({ jobType }) => jobType === name) as JobForm;

test('there is a form for each job type, with an example that is valid', () => {
  expect(forms.map(({ jobType }) => jobType).sort()).toEqual(Object.keys(EXAMPLES).sort());
  let draft = freshDraft(forms, 'simulated');
  expect(draft.jobType).toBe('general_llm_request');
  for (const form of forms) {
    draft = withJobType(draft, form.jobType);
    const { object, wrong } = drafted(form, draft);
    expect(wrong).toEqual([]);
    expect(object).toMatchObject({ job_type: form.jobType, model_id: 'simulated', stream: true });
    expect(publishedSubmissionSchema.safeParse(object).error).toBeUndefined();
  }
});

test('every field of the schema has its kind', () => {
  const { fields } = formOf('general_llm_request');
  const kinds = Object.fromEntries(leavesOf(fields).map(({ path, kind }) => [path, kind]));
  expect(kinds).toMatchObject({
    ...{ model_id: 'text', 'input_data.prompt': 'long', 'input_data.llm.prompt': 'long' },
    ...{ 'input_data.messages': 'json', 'input_data.tool_choice': 'mixed', 'input_data.response_schema': 'json' },
    ...{ 'input_data.temperature': 'number', 'input_data.reasoning.effort': 'choice', stream: 'tick', store: 'choice' },
    ...{ tags: 'words', fallbacks: 'words', metadata: 'pairs', 'experiment.variants': 'json', 'webhook.url': 'text' },
    ...{ 'webhook.events': 'words', 'webhook.include': 'choice', max_cost: 'number', ttl_seconds: 'number' },
  });
  for (const own of ['job_type', 'job_id', 'idempotency_key']) expect(kinds).not.toHaveProperty(own);
  expect(fields.find(({ path }) => path === 'timeout')?.help).toMatch(/^Seconds until .*\. From 1 to 604,800\.$/);
  expect(leavesOf(formOf('review_colab').fields).find(({ path }) => path.endsWith('notebook'))?.kind).toBe('mixed');
});

const FIELDS = fieldsOf({
  properties: {
    text: { type: 'string' },
    number: { type: 'number' },
    yes: { type: 'boolean' },
    keep: { type: 'boolean', description: '`false`: it is not kept.' },
    effort: { enum: ['low', 'high'] },
    words: { type: 'array', items: { type: 'string' } },
    pairs: { type: 'object', additionalProperties: { type: 'string' } },
    json: { type: 'array', items: { type: 'object' } },
    either: { anyOf: [{ type: 'string' }, { type: 'object' }] },
    group: { type: 'object', properties: { inner: { type: 'string' }, deep: { type: 'object', properties: {} } } },
  },
});
const read = (values: Record<string, string>) => objectFrom(FIELDS, values);

describe('what is typed', () => {
  test('is sent only where something was', () => {
    expect(read({})).toEqual({ object: {}, wrong: [] });
    expect(read({ text: '', number: '', yes: '', words: ' \n ', pairs: '\n', 'group.inner': '' }).object).toEqual({});
  });

  test.each([
    [{ text: ' a ' }, { text: ' a ' }],
    [{ number: ' 1.5 ' }, { number: 1.5 }],
    [
      { yes: 'true', keep: 'false' },
      { yes: true, keep: false },
    ],
    [{ effort: 'high' }, { effort: 'high' }],
    [{ words: 'one\n two, three \n\n' }, { words: ['one', 'two, three'] }],
    [{ words: '["a\\nb"]' }, { words: ['a\nb'] }],
    [{ pairs: 'team: red: or blue\nempty:' }, { pairs: { team: 'red: or blue', empty: '' } }],
    [{ pairs: '{"a:b": "c"}' }, { pairs: { 'a:b': 'c' } }],
    [{ json: '[{"a": 1}]' }, { json: [{ a: 1 }] }],
    [{ either: '{"a": 1}' }, { either: { a: 1 } }],
    [{ either: '{a text}' }, { either: '{a text}' }],
    [{ 'group.inner': 'x' }, { group: { inner: 'x' } }],
  ])('%j is %j', (values, object) => {
    expect(read(values)).toEqual({ object, wrong: [] });
  });

  test.each([
    [{ number: 'many' }, 'must be a number'],
    [{ number: ' ' }, 'must be a number'],
    [{ json: '[1' }, expect.stringMatching(/^is not JSON: /)],
    [{ words: '[' }, expect.stringMatching(/^is not JSON: /)],
    [{ pairs: 'team red' }, 'must be name: value, one a line; not so: team red'],
  ])('%j cannot be read', (values, message) => {
    expect(read(values).wrong).toEqual([{ path: Object.keys(values)[0], message }]);
  });
});

const word = fc.oneof(
  fc.string(),
  fc.constantFrom('a: b', ' a ', 'a\nb', '[', '{', '', ':', '__proto__', '["a"]', '{"a":"b"}'),
);
const objects = fc.record(
  {
    text: word.filter(Boolean),
    number: fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    yes: fc.constant(true),
    keep: fc.boolean(),
    effort: fc.constantFrom('low', 'high'),
    words: fc.array(word),
    pairs: fc.dictionary(word, word, { noNullPrototype: true }),
    json: fc.array(fc.dictionary(word, fc.jsonValue(), { noNullPrototype: true })),
    either: fc.dictionary(word, fc.jsonValue(), { noNullPrototype: true }),
    group: fc.record({ inner: word.filter(Boolean) }),
  },
  { requiredKeys: [] },
);

test('an object becomes texts, and is the same again', () => {
  const one = fc.property(objects, (object) => {
    const { values, unknown } = valuesFrom(FIELDS, object);
    expect(unknown).toEqual([]);
    expect(JSON.parse(JSON.stringify(read(values)))).toEqual(JSON.parse(JSON.stringify({ object, wrong: [] })));
  });
  fc.assert(one);
});

describe('a whole submission', () => {
  const submission = {
    ...{ job_type: 'structured_extraction', model_id: 'simulated', input_data: { text: 'x', extended: true } },
    ...{ tags: ['a'], metadata: { b: 'c' }, webhook: { url: 'https://example.com', events: ['job.failed'] } },
  };

  test('fills its form', () => {
    const filled = withSubmission(forms, { values: {} }, submission);
    if (!('draft' in filled)) throw new Error(filled.wrong);
    expect(drafted(formOf('structured_extraction'), filled.draft)).toEqual({ object: submission, wrong: [] });
  });

  test.each([
    [{ ...submission, job_type: 'dance' }, 'There is no form for the job_type "dance".'],
    [
      { ...submission, colour: 1, input_data: { text: '', size: 2 } },
      'The form has no field for colour, input_data.size.',
    ],
    [{ ...submission, webhook: 'x' }, 'The form has no field for webhook.'],
  ])('stays as it is where the form has no place for all of it', (submission, wrong) => {
    expect(withSubmission(forms, { values: {} }, submission)).toEqual({ wrong });
  });

  test('that is no JSON, or no object, is told', () => {
    const draftOf = (json: string) => drafted(formOf('review_colab'), { jobType: 'review_colab', values: {}, json });
    expect(draftOf('{"a": 1}')).toEqual({ object: { a: 1 }, wrong: [] });
    expect(draftOf('[]').wrong).toEqual([{ path: '', message: 'must be an object' }]);
    expect(draftOf('{').wrong[0]?.message).toMatch(/^is not JSON: /);
  });
});

test("each of the API's errors stands beside its field, or with the rest", async () => {
  const api = await openApp();
  const { body } = await api.post(SUBMIT, {
    ...{ job_type: 'general_llm_request', model_id: 'simulated', timeout: 0, webhook: {}, colour: 'red' },
    input_data: { messages: [{ role: 'system', content: 1 }], temperature: 'warm' },
  });
  await api.close();
  const { beside, rest } = placed(formOf('general_llm_request').fields, body.details);
  expect(beside).toEqual({
    timeout: 'must be a number of seconds from 1 to 604800',
    'webhook.url': 'is required, a string',
    'input_data.messages': '0.content must be a string',
    'input_data.temperature': 'must be a number',
  });
  expect(rest.map(({ path }) => path)).toEqual(['colour']);
  const more = ['text', 'texts', 'text', 'text[0].a'].map((path) => ({ path, message: 'is wrong' }));
  expect(placed(FIELDS, more)).toEqual({
    ...{ beside: { text: 'is wrong; [0].a is wrong' }, rest: [{ path: 'texts', message: 'is wrong' }] },
  });
});

test('the first model is the simulated one where it can be used', () => {
  const model = (name: string, available: boolean) => ({ id: name, name, model: name, available });
  expect(firstModel([model('a', true), model('simulated', true)])).toBe('simulated');
  expect(firstModel([model('b', false), model('a', true), model('simulated', false)])).toBe('a');
  expect(firstModel([model('a', false)])).toBe('');
});
