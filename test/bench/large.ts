/**
 * `npm run bench -- --only large`: what an input of 5 or 8 MB and a result of 8 MB cost, step by step: how long each takes,
 * how long it holds the process in one piece, and what memory it takes meanwhile.
 */
import { collect } from '../../shared/core/answers.ts';
import { costOfCall } from '../../shared/core/call-cost.ts';
import { findTooMany, findUnstorable } from '../../shared/core/field-errors.ts';
import { fingerprintOf } from '../../shared/core/ids.ts';
import { assertInputFits } from '../../shared/core/input-size.ts';
import type { Json } from '../../shared/core/job.ts';
import type { Answer, LlmPart } from '../../shared/core/llm.ts';
import type { PartStore } from '../../shared/core/part-store.ts';
import { putParts, readParts, tooLargeInline } from '../../shared/core/parts.ts';
import { givenIn } from '../../shared/core/submitting.ts';
import { JOB_TYPES, jobTypesByName } from '../../shared/job-types/registry.ts';
import { publishedSubmissionSchema, toSubmission } from '../../shared/job-types/submission.ts';
import { tablePricing } from '../../shared/llm/cost.ts';
import { PROTOCOLS } from '../providers/protocols.ts';
import { largeFrames, send } from '../support/large-answers.ts';
import { startScriptedProvider } from '../support/scripted-provider.ts';
import { bench } from './support/bench.ts';
import { type Say, type Step, stepTable } from './support/large-steps.ts';

const MEGABYTE = 1_000_000;
const SENTENCE = 'The analysis "shows" that é 分析 👩‍🔬 all is fine.\n';
const textOf = (bytes: number) =>
  SENTENCE.repeat(Math.floor(bytes / (Buffer.byteLength(JSON.stringify(SENTENCE)) - 2)));

const pricing = tablePricing();
const model = { id: crypto.randomUUID(), name: 'GPT-4o mini', provider: 'openai', model: 'gpt-4o-mini' };

/** What the submit of a prompt of this size goes through, and the beginning of its attempt. */
async function inputSteps(bytes: number, say: Say) {
  const { steps, run } = stepTable(say);
  const sent = Buffer.from(
    JSON.stringify({ job_type: 'general_llm_request', model_id: 'gpt-4o-mini', input_data: { prompt: textOf(bytes) } }),
  );
  const text = await run('UTF-8 to text', () => new TextDecoder('utf-8', { fatal: true }).decode(sent));
  await run('values counted', () => findTooMany(text));
  const body = await run('JSON.parse', () => JSON.parse(text) as Json);
  await run('storable?', () => findUnstorable(body));
  const parsed = await run('schema of the submission', () => publishedSubmissionSchema.parse(body));
  const submission = toSubmission(parsed);
  const { input } = submission;
  await run('size of the input', () => assertInputFits(input));
  await run('check of the input', () => jobTypesByName.get('general_llm_request')?.check?.(input, model));
  const long = textOf(bytes);
  const inputs: Record<string, Json> = {
    general_llm_request: input,
    structured_extraction: { text: long },
    prompt_generation: { manual_prompt: long },
    trainer_question_analysis: { full_input: long },
    review_colab: { full_input: long },
  };
  for (const type of JOB_TYPES) {
    await run(`toRequest, ${type.name}`, () => type.toRequest(inputs[type.name] ?? null, model));
  }
  const request = jobTypesByName.get('general_llm_request')?.toRequest(input, model) ?? { model: '', messages: [] };
  await run(
    'estimate of tokens',
    () => pricing.estimateInputTokens(request),
    (tokens) => `${tokens} tokens`,
  );
  await run('max_cost', () => pricing.cap(model, request, 1e12, Date.now()));
  await run('fingerprint', () => fingerprintOf(givenIn(submission)));
  const bytesOf = await run('JSON for the parts', () => [...(tooLargeInline(input) ?? [])]);
  await run('cut into parts, with digests', () => putParts(NOWHERE, KEY, bytesOf, TIMES));
  await run('body for the provider', () => JSON.stringify(request).length);
  return steps;
}

const KEY = { tenant: 't', id: 'i', set: 's' };
const TIMES = { deleteAt: 0, checkAt: 0 };
const NOWHERE = { put: async () => {} } as unknown as PartStore;

/** JSON of this size: many small things, or one large text. */
const items = (bytes: number) => {
  const item = { name: 'a thing', value: 1.5, tags: ['one', 'two'], is: true };
  return Array.from({ length: Math.floor(bytes / JSON.stringify(item).length) }, () => item);
};
const SCHEMAS = {
  list: { type: 'object', properties: { items: { type: 'array', items: {} } }, required: ['items'] },
  object: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
};

/** What an answer of this size goes through after it came. */
async function resultSteps(bytes: number, say: Say) {
  const { steps, run } = stepTable(say);
  const general = jobTypesByName.get('general_llm_request');
  const answerOf = (text: string): Answer => ({
    ...{ text, finishReason: 'stop' as const, toolCalls: [], fileSearchResults: [], warnings: [] },
    ...{ responseId: undefined, model: undefined, usage: undefined },
  });
  const outcome = (checked: unknown) => JSON.stringify(checked).slice(0, 60);
  const text = textOf(bytes);
  async function* parts(): AsyncIterable<LlmPart> {
    for (let at = 0; at < text.length; at += 4_000) yield { type: 'text-delta', text: text.slice(at, at + 4_000) };
    yield { type: 'finish', reason: 'stop' };
  }
  await run('collect', () => collect(parts(), { facts: {}, text: '' }));
  const request = { model: 'gpt-4o-mini', messages: [] };
  const record = { facts: {}, text, accepted: true as const };
  await run('cost by estimate', () => costOfCall(pricing, model, request, record, undefined, Date.now(), false));
  for (const type of JOB_TYPES.filter(({ name }) => name !== 'structured_extraction')) {
    await run(`toResult, ${type.name}`, () => type.toResult(answerOf(text), { prompt: 'x' }), outcome);
  }
  const list = JSON.stringify({ items: items(bytes) });
  const one = JSON.stringify({ text });
  const answers: [string, keyof typeof SCHEMAS, string][] = [
    ['many things', 'list', list],
    ['one text', 'object', one],
    ['many things in a fence', 'list', `\`\`\`json\n${list}\n\`\`\``],
    ['many things without one comma', 'list', list.replace('},{', '}{')],
    ['many things, cut', 'list', list.slice(0, -1_000)],
    ['one text, its quotes not escaped', 'object', `{"text": "${text}"}`],
    ['no JSON', 'object', text],
    ['lists in lists', 'list', `{"items":${'[[],'.repeat(bytes / 4)}`],
    ['empty lists', 'list', `{"items":[${'[],'.repeat(bytes / 3)}[]]}`],
    ['long numbers', 'list', `{"items":[${'123456789012345.5,'.repeat(bytes / 18)}0]}`],
  ];
  for (const [name, schema, said] of answers) {
    const input = { prompt: 'x', response_schema: SCHEMAS[schema] };
    await run(`toResult, schema: ${name}`, () => general?.toResult(answerOf(said), input), outcome);
  }
  const set: string[] = [];
  const store = {
    put: async (_: unknown, part: { n: number; text: string }) => {
      set[part.n - 1] = part.text;
    },
    get: async (_: unknown, n: number) => set[n - 1],
  } as unknown as PartStore;
  const json = await run('JSON for the parts', () => [...(tooLargeInline({ success: true, result: text }) ?? [])]);
  const stored = await run('cut into parts, with digests', () => putParts(store, KEY, json, TIMES));
  await run('parts read, with digests', async () => {
    for await (const part of readParts(store, KEY, stored)) void part;
  });
  return steps;
}

/** An answer over a socket, in each protocol, the provider in this process, too. */
async function providerSteps(bytes: number, say: Say) {
  const { steps, run } = stepTable(say);
  const server = await startScriptedProvider();
  const text = textOf(bytes);
  for (const protocol of PROTOCOLS) {
    const frames = [...largeFrames(protocol, text)].map((frame) => Buffer.from(frame));
    server.answerWith((exchange) => void send(exchange, frames));
    const request = { model: protocol.model, messages: [{ role: 'user' as const, content: 'Hi' }] };
    const signal = new AbortController().signal;
    await run(`an answer through ${protocol.name}`, () =>
      collect(protocol.provider(server.url).generate(request, { signal }), { facts: {}, text: '' }),
    );
  }
  await server.stop();
  return steps;
}

const PARTS: [name: string, megabytes: number, steps: (bytes: number, say: Say) => Promise<Step[]>][] = [
  ['an input', 5, inputSteps],
  ['an input', 8, inputSteps],
  ['a result', 8, resultSteps],
  ['a result from the provider', 8, providerSteps],
];

await bench(
  {
    name: 'large',
    title: 'Megabytes, step by step',
    about:
      'What an input and a result of megabytes go through, each step alone: how long it takes, how long it holds the process in one piece, and how much memory it takes beside what was there before it. The provider is in this process, too.',
  },
  async ({ sized, say, table, plot }) => {
    for (const [name, wanted, steps] of sized(PARTS, PARTS.slice(1))) {
      const megabytes = sized(wanted, wanted / 100);
      const done = await steps(megabytes * MEGABYTE, say);
      const title = `${name} of ${megabytes} MB`;
      table(title, Object.fromEntries(done.map(({ step, ...cells }) => [step, cells])));
      plot({
        title: `The longest block by ${title}`,
        kind: 'bars',
        x: { label: '' },
        y: { label: 'ms' },
        points: done.map(({ step, 'longest block, ms': y }) => ({ x: step, y })),
      });
    }
  },
);
