/** What a command submits: from its words, from files, or through a pipe. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { numberIn, oneOf, UsageError, type ValueName, type Words } from './command-line-words.ts';
import type { JobType, Submission } from './submissions.ts';

/** Where a prompt stands in the input of a job type. */
const PROMPT_FIELD: Record<JobType, string> = {
  general_llm_request: 'full_input',
  trainer_question_analysis: 'full_input',
  review_colab: 'full_input',
  structured_extraction: 'text',
  prompt_generation: 'manual_prompt',
};

/** Above what the API takes, so that it is the client that says what that is. */
const BYTES_MOST = 16 * 1_024 ** 2;

export type Input = { stdin: Readable & { isTTY?: boolean }; signal: AbortSignal };

/** The job type that these words name. */
export function jobTypeIn(words: Words): JobType | undefined {
  return oneOf('type', PROMPT_FIELD, words);
}

/** What these words submit; the client and the server judge it. */
export async function submissionIn(words: Words, input: Input): Promise<Submission> {
  const { values, flags, tags } = words;
  const stream = flags.has('stream') ? { stream: true } : {};
  if (values.file !== undefined) {
    const beside = (['input', 'model', 'type', 'system', 'tag', 'max-cost'] as const).filter((name) => values[name]);
    refuseBeside('file', 'the whole submission', beside, words);
    return { ...(await objectIn('file', values.file, input)), ...stream } as Submission;
  }
  const job_type = jobTypeIn(words) ?? 'general_llm_request';
  const maxCost = numberIn('max-cost', words);
  return {
    job_type,
    ...(values.model !== undefined && { model_id: values.model }),
    input_data: await inputIn(words, job_type, input),
    ...(tags.length > 0 && { tags }),
    ...(maxCost !== undefined && { max_cost: maxCost }),
    ...stream,
  } as Submission;
}

async function inputIn(words: Words, type: JobType, input: Input): Promise<object> {
  const { operand, values } = words;
  if (values.input !== undefined) {
    refuseBeside('input', 'the whole input', values.system === undefined ? [] : ['system'], words);
    return objectIn('input', values.input, input);
  }
  if (values.model === undefined) {
    throw new UsageError("--model is missing: a model's name, like gpt-4o-mini; simulated needs no key.");
  }
  const field = PROMPT_FIELD[type];
  if (values.system !== undefined && field !== 'full_input') throw new UsageError(`--system is of no use to ${type}.`);
  const prompt = operand ?? (input.stdin.isTTY ? '' : (await textIn('-', input)).replace(/\r?\n$/, ''));
  if (prompt === '') throw new UsageError('There is no prompt: say it in quotes, or send it through a pipe.');
  return { ...(values.system !== undefined && { system_message: values.system }), [field]: prompt };
}

function refuseBeside(option: ValueName, what: string, beside: readonly ValueName[], { operand }: Words): void {
  const first = operand === undefined ? beside[0] && `--${beside[0]}` : 'a prompt';
  if (first !== undefined) throw new UsageError(`--${option} is ${what}, and goes without ${first}.`);
}

async function objectIn(option: ValueName, path: string, input: Input): Promise<object> {
  let value: unknown;
  try {
    value = JSON.parse(await textIn(path, input));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`--${option} must hold JSON: ${error.message}.`);
    if (input.signal.aborted || error instanceof UsageError) throw error;
    throw new UsageError(`--${option} cannot be read: ${(error as Error).message}.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new UsageError(`--${option} must hold a JSON object.`);
}

/** Asks for the token in a file, which may be written anew while a command runs; what comes through a pipe comes once. */
export function tokenFrom(path: string, input: Input): () => Promise<string> {
  let piped: Promise<string> | undefined;
  return async () => {
    if (piped) return piped;
    const isFile =
      path !== '-' &&
      (await stat(path)
        .then((found) => found.isFile())
        .catch(() => true));
    const token = tokenIn(path, input);
    if (!isFile) piped = token;
    return token;
  };
}

async function tokenIn(path: string, input: Input): Promise<string> {
  const text = await textIn(path, input).catch((error: Error) => {
    throw new UsageError(`--token-file cannot be read: ${error.message}.`);
  });
  return checkToken('--token-file', text);
}

/** A token as it may stand in a header. */
export function checkToken(where: string, text: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError(`${where} must hold one token, and nothing else.`);
}

async function textIn(path: string, { stdin, signal }: Input): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of addAbortSignal(signal, path === '-' ? stdin : createReadStream(path))) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > BYTES_MOST) throw new UsageError('What is submitted may have at most 8 MiB.');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new UsageError(`${path === '-' ? 'Standard input' : path} is not UTF-8 text.`);
  }
}
