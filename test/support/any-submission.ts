/** Submissions as the client's types allow them, for property tests. */
import fc from 'fast-check';
import type { Envelope, JobType, Submission } from '../../shared/client/client.ts';

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).map((rest) => `a${rest}`);
const word = fc.string({ minLength: 1, maxLength: 20 });
const name = fc.stringMatching(/^[a-z]{1,10}$/);
const some = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 4 });

const experiment = fc.record({ name, subject: text }, { requiredKeys: ['name'] }).map((it) => ({
  ...it,
  variants: [
    { name: 'a', weight: 40, model_id: 'gpt-4o' },
    { name: 'b', weight: 60 },
  ],
}));

const envelope: fc.Arbitrary<Envelope> = fc.record(
  {
    question_id: text,
    project_id: fc.oneof(text, fc.integer()),
    tags: fc.array(word, { maxLength: 10 }),
    metadata: fc.dictionary(name, text, { maxKeys: 16 }),
    timeout: fc.integer({ min: 60, max: 500 }),
    ttl_seconds: fc.integer({ min: 3_600, max: 86_400 }),
    stream: fc.boolean(),
    store: fc.boolean(),
    max_cost: fc.double({ min: 0.01, max: 1_000, noNaN: true }),
    fallbacks: fc.array(text, { minLength: 1, maxLength: 5 }),
    experiment,
    cache_ttl_seconds: fc.integer({ min: 1, max: 1_000 }),
    background: fc.boolean(),
    webhook: fc.record(
      { url: fc.constant('https://example.com/hook'), events: fc.constant(['job.failed' as const]) },
      { requiredKeys: ['url'] },
    ),
  },
  { requiredKeys: [] },
);

const spec = fc.record(
  { model: text, temperature: fc.double({ min: 0, max: 2, noNaN: true }), max_tokens: fc.integer({ min: 1 }) },
  { requiredKeys: ['model'] },
);
const messages = some(text).map((all) => all.map((content) => ({ role: 'user' as const, content })));
const schema = fc.constant({ type: 'object', properties: { a: { type: 'string' } } });
const questions = [
  fc.record({ prompt: text }),
  fc.record({ messages }),
  fc.record({ full_input: text, system_message: text }, { requiredKeys: ['full_input'] }),
  fc.record({ llm: fc.record({ prompt: text }) }),
  fc.record({ prompt: text, response_schema: schema }),
];
const notebook = fc.record({
  nbformat: fc.constant(4),
  cells: some(fc.record({ cell_type: fc.constantFrom('code', 'markdown'), source: fc.oneof(text, fc.array(text)) })),
});

const INPUTS = {
  general_llm_request: fc.oneof(...questions),
  trainer_question_analysis: fc.record({ full_input: text, system_message: text }, { requiredKeys: ['full_input'] }),
  review_colab: fc.oneof(
    fc.record({
      notebook: fc.oneof(
        notebook,
        notebook.map((it) => JSON.stringify(it)),
      ),
    }),
    fc.record({ full_input: text }),
  ),
  structured_extraction: fc.record({ text, extended: fc.boolean() }, { requiredKeys: ['text'] }),
  prompt_generation: fc.record({ manual_prompt: text }),
} satisfies Record<JobType, fc.Arbitrary<object>>;

const plain = fc
  .constantFrom(...(Object.keys(INPUTS) as JobType[]))
  .chain((job_type) => fc.record({ job_type: fc.constant(job_type), model_id: text, input_data: INPUTS[job_type] }));
const modelInRequest = fc.record({
  job_type: fc.constant('general_llm_request' as const),
  input_data: fc.record({ llm: fc.record({ prompt: text, llm_model_spec: spec }) }),
});

/** A submission that is valid, as far as one can tell without a catalog. */
export const anySubmission: fc.Arbitrary<Submission> = fc
  .tuple(envelope, fc.oneof({ arbitrary: plain, weight: 6 }, { arbitrary: modelInRequest, weight: 1 }))
  .map(([around, job]) => ({ ...around, ...job }) as Submission);
