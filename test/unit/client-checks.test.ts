/** What the client refuses before it sends anything, and that it refuses nothing that the server would take. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkList, checkSubmission, checkWait } from '../../shared/client/checks.ts';
import {
  createClient,
  type FieldError,
  type JobStatus,
  type JobType,
  LlmJobsError,
  newJobId,
  type ResultOf,
  type Submission,
} from '../../shared/client/client.ts';
import { invalidRequest } from '../../shared/core/errors.ts';
import { findUnstorable } from '../../shared/core/field-errors.ts';
import { JOB_STATES, type Json } from '../../shared/core/job.ts';
import type { Answer } from '../../shared/core/llm.ts';
import { BODY_BYTES_MOST } from '../../shared/http/body.ts';
import { JOB_TYPES, jobTypesByName } from '../../shared/job-types/registry.ts';
import { submissionSchema } from '../../shared/job-types/submission.ts';
import { anySubmission } from '../support/any-submission.ts';

const ID = '0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11';
const general = { job_type: 'general_llm_request', model_id: 'gpt-4o', input_data: { prompt: 'Hello.' } } as const;
const NOT_JSON = 'cannot be written as JSON';
const SURROGATE = 'holds a lone surrogate; it must be valid Unicode';

/** The wrong fields that a check names, each with its sentence; `undefined`: none, it went through. */
function wrongIn(run: () => unknown): [string, string][] | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!(error instanceof LlmJobsError)) throw error;
    expect(error).toMatchObject({ code: 'invalid_request', status: undefined });
    expect(error.message).toBe(invalidRequest((error.details ?? []) as FieldError[]).message);
    return (error.details as FieldError[]).map(({ path, message }) => [path, message]);
  }
}

const wrongSubmission = (submission: unknown, id: unknown = ID) =>
  wrongIn(() => checkSubmission(submission as Submission, id as string));
const withInput = (input: object) => wrongSubmission({ ...general, input_data: input });

describe('a submission', () => {
  test.each([
    [undefined, [['', 'must be an object']]],
    [null, [['', 'must be an object']]],
    ['text', [['', 'must be an object']]],
    [[general], [['', 'must be an object']]],
    [{ ...general, job_type: undefined }, [['job_type', 'is required, a string']]],
    [{ ...general, job_type: 5 }, [['job_type', 'is required, a string']]],
    [{ ...general, model_id: '' }, [['model_id', 'must be a string, and not empty']]],
    [{ ...general, model_id: null }, [['model_id', 'must be a string, and not empty']]],
    [{ ...general, input_data: [] }, [['input_data', 'is required, an object']]],
    [{ ...general, input_data: undefined }, [['input_data', 'is required, an object']]],
    [
      {},
      [
        ['job_type', 'is required, a string'],
        ['input_data', 'is required, an object'],
      ],
    ],
  ])('%j is refused', (submission, wrong) => {
    expect(wrongSubmission(submission)).toEqual(wrong);
  });

  test.each(['', 'x', null, 5, '0b5a2f6e-6a53-8a3a-9a0e-3f1f8c0f7a11'])('the id %j is refused', (id) => {
    expect(wrongSubmission(general, id)).toEqual([['jobId', 'must be a UUID of version 4 or 7']]);
  });

  test('all that is wrong is in one error, which names the job', () => {
    const run = () => checkSubmission({ job_type: '', input_data: 7 } as never, 'mine');
    expect(wrongIn(run)?.map(([path]) => path)).toEqual(['jobId', 'job_type', 'input_data']);
    expect(run).toThrow(expect.objectContaining({ jobId: 'mine', message: expect.stringContaining('; job_type: is') }));
  });

  const itself: Record<string, unknown> = {};
  itself.again = { itself };
  let deep = {};
  for (let level = 0; level < 20_000; level++) deep = { deep };

  test.each<[string, object, [string, string][]]>([
    ['not a number', { a: Number.NaN }, [['input_data.a', NOT_JSON]]],
    ['infinity', { a: [1, -Infinity] }, [['input_data.a.1', NOT_JSON]]],
    ['a big integer', { a: 5n }, [['input_data.a', NOT_JSON]]],
    ['a function', { a: () => 1 }, [['input_data.a', NOT_JSON]]],
    ['a symbol', { a: Symbol('a') }, [['input_data.a', NOT_JSON]]],
    ['a hole in a list', { a: [undefined] }, [['input_data.a.0', NOT_JSON]]],
    ['a date that is none', { a: new Date('never') }, [['input_data.a', NOT_JSON]]],
    ['a map', { a: new Map([['b', 1]]) }, [['input_data.a', NOT_JSON]]],
    ['a promise', { a: Promise.resolve('b') }, [['input_data.a', NOT_JSON]]],
    ['a file', { notebook: new File(['{}'], 'a.ipynb') }, [['input_data.notebook', NOT_JSON]]],
    ['itself', { a: itself }, [['input_data.a.again.itself', NOT_JSON]]],
    ['half a character', { a: { b: 'x\ud800' } }, [['input_data.a.b', SURROGATE]]],
    ['half a character in a name', { 'x\udc00': 1 }, [['input_data.x\udc00', SURROGATE]]],
    [
      'two mistakes',
      { a: Number.NaN, b: [5n] },
      [
        ['input_data.a', NOT_JSON],
        ['input_data.b.0', NOT_JSON],
      ],
    ],
  ])('%s is refused, not lost', (_, input, wrong) => {
    expect(withInput(input)).toEqual(wrong);
  });

  test('nesting without end is refused, in a sentence that can be read', () => {
    expect(withInput(deep)).toEqual([[expect.stringMatching(/^input_data\.deep\.deep.{1,190}$/), NOT_JSON]]);
  });

  test('of many mistakes the first twenty are named', () => {
    expect(withInput({ a: Array(500).fill(Number.NaN) })).toHaveLength(20);
  });

  test('a field that is undefined is absent; dates, pairs of surrogates, classes, empty and repeated objects go out', () => {
    const shared = { text: '😀' };
    class Turn {
      role = 'user';
    }
    const input = {
      ...{ a: undefined, day: new Date(0), shared: [shared, shared], turn: new Turn() },
      ...{ none: {}, bare: Object.create(null), list: [], nothing: null, zero: -0, '': { '': 1 } },
    };
    const text = checkSubmission({ ...general, model_id: undefined, input_data: input } as never, ID);
    expect(JSON.parse(text)).toEqual({
      job_type: 'general_llm_request',
      input_data: {
        ...{ day: '1970-01-01T00:00:00.000Z', shared: [shared, shared], turn: { role: 'user' } },
        ...{ none: {}, bare: {}, list: [], nothing: null, zero: 0, '': { '': 1 } },
      },
    });
  });

  test('as many bytes as a body may have go out, one more does not', () => {
    const bytes = (count: number) => ({
      ...general,
      input_data: { prompt: 'é'.repeat(count >> 1) + 'e'.repeat(count & 1) },
    });
    const rest = Buffer.byteLength(JSON.stringify(bytes(0)));
    expect(wrongSubmission(bytes(BODY_BYTES_MOST - rest))).toBeUndefined();
    expect(wrongSubmission(bytes(BODY_BYTES_MOST - rest + 1))).toEqual([
      ['', `the submission is larger than ${BODY_BYTES_MOST} bytes`],
    ]);
  });
});

describe('what the server would take is never refused', () => {
  const isTaken = (body: unknown) => !findUnstorable(body as Json) && submissionSchema.safeParse(body).success;

  test('any submission that the types allow and the schema takes', () => {
    fc.assert(
      fc.property(anySubmission, (submission) => {
        const text = checkSubmission(submission, newJobId());
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(submission)));
        expect(submissionSchema.safeParse(JSON.parse(text)).error?.issues).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test('any submission with one place changed to any JSON', () => {
    const seen = { taken: 0, refusedByBoth: 0 };
    const leaf = fc.oneof(fc.string(), fc.double(), fc.integer(), fc.constantFrom(true, null, '😀', 'a\ud800'));
    const value = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(fc.string(), leaf, { maxKeys: 3 }));
    const change = fc.tuple(
      fc.nat(),
      value.map((any) => JSON.parse(JSON.stringify(any))),
    );
    fc.assert(
      fc.property(anySubmission, change, fc.boolean(), (submission, [nth, value], isInside) => {
        const changed: Record<string, unknown> = structuredClone(submission) as never;
        const holder = (isInside ? changed.input_data : changed) as Record<string, unknown>;
        const keys = Object.keys(holder);
        holder[keys[nth % keys.length] as string] = value;
        const taken = isTaken(JSON.parse(JSON.stringify(changed)));
        const wrong = wrongSubmission(changed);
        if (taken) expect(wrong).toBeUndefined();
        if (taken) seen.taken += 1;
        else if (wrong) seen.refusedByBoth += 1;
      }),
      { numRuns: 500 },
    );
    expect(seen.taken).toBeGreaterThan(10);
    expect(seen.refusedByBoth).toBeGreaterThan(10);
  });
});

test('the API is at an address that a path may follow', () => {
  const right = ['https://jobs.example.com', 'HTTP://[::1]:8080/', 'http://localhost/behind/@a/proxy/'];
  for (const baseUrl of right)
    expect([baseUrl, wrongIn(() => createClient({ baseUrl }))]).toEqual([baseUrl, undefined]);
  const wrong = [
    ...['', 'jobs.example.com', 'localhost:8080', '/api', 'http:', 'http:8080', 'ftp://jobs.example.com'],
    ...['https://ada:secret@jobs.example.com', 'https://jobs.example.com/?a=b', 'https://jobs.example.com/#a'],
  ];
  const WRONG = [['baseUrl', 'must be the http or https URL of the API']];
  for (const baseUrl of wrong) expect([baseUrl, wrongIn(() => createClient({ baseUrl }))]).toEqual([baseUrl, WRONG]);
});

test('a wait has a time limit above 0, and a signal that is one', () => {
  const TIME = ['timeoutMs', 'must be a number of milliseconds above 0'];
  for (const timeoutMs of [0, -1, Number.NaN, null, '5'])
    expect(wrongIn(() => checkWait({ timeoutMs: timeoutMs as number }))).toEqual([TIME]);
  for (const timeoutMs of [1, 0.5, Infinity]) checkWait({ timeoutMs, signal: new AbortController().signal });
  checkWait({});
  const signal = new AbortController() as never;
  expect(wrongIn(() => checkWait({ signal, timeoutMs: 0 }))).toEqual([TIME, ['signal', 'must be an AbortSignal']]);
});

test('a list has a page of 1 to 100, and asks for what is given', () => {
  expect(`${checkList({ status: 'failed', limit: 100, tag: 'a b&c', ...({ model: undefined } as object) })}`).toBe(
    'status=failed&limit=100&tag=a+b%26c',
  );
  for (const limit of [0, 101, 1.5, Number.NaN, '5'])
    expect(wrongIn(() => checkList({ limit: limit as number }))).toEqual([
      ['limit', 'must be a whole number from 1 to 100'],
    ]);
});

describe("the client's lists are the server's", () => {
  test('job types and statuses', () => {
    const types = {
      ...{ general_llm_request: true, trainer_question_analysis: true, review_colab: true },
      ...{ structured_extraction: true, prompt_generation: true },
    } as const satisfies Record<JobType, true>;
    expect(Object.keys(types).sort()).toEqual(JOB_TYPES.map(({ name }) => name).sort());
    const statuses = { pending: true, processing: true, completed: true, failed: true, cancelled: true } as const;
    expect(Object.keys(statuses satisfies Record<JobStatus, true>)).toEqual(JOB_STATES);
  });

  test('results', async () => {
    const extraction = {
      ...{ summary: 'a', sentiment: 'positive' as const, tags: ['b'] },
      entities: [{ type: 'c', value: 'd', confidence: 1 }],
    };
    const results: { [type in JobType]: [input: Json, text: string, result: ResultOf<type>] } = {
      general_llm_request: [
        { prompt: 'Hi' },
        'a',
        { success: true, result: 'a', finish_reason: 'length', warnings: ['b'] },
      ],
      trainer_question_analysis: [{ full_input: 'Hi' }, 'a', { success: true, result: 'a' }],
      review_colab: [{ full_input: 'Hi' }, 'a', { success: true, result: 'a' }],
      structured_extraction: [
        { text: 'Hi' },
        JSON.stringify(extraction),
        { success: true, result: extraction, warnings: ['b'] },
      ],
      prompt_generation: [{ manual_prompt: 'Hi' }, 'a', { success: true, result: 'a', generated_by_ai: true }],
    };
    for (const [type, [input, text, result]] of Object.entries(results)) {
      const finishReason = type === 'general_llm_request' ? 'length' : 'stop';
      const answer: Answer = { text, finishReason, toolCalls: [], fileSearchResults: [], warnings: ['b'] };
      expect(await jobTypesByName.get(type)?.toResult(answer, input)).toEqual({ result });
    }
  });
});
