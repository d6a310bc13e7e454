/**
 * `npm run smoke -- --url U [--key K] [--model M] [--console]`: what a client does, once, against a service that runs anywhere, a line
 * for each step; ends with 1 at the first that fails. The key may also be in `LLM_JOBS_KEY`, where other users of the
 * machine do not see it.
 */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { answering, OperatorError, refuseOperands, StepError, wordsOf } from './operating.ts';

const USAGE = 'Usage: npm run smoke -- --url https://… [--key llmj_…] [--model gpt-4o-mini] [--open-only] [--console]';

/** A function that starts, a provider that thinks. */
const REQUEST_MS = 60_000;
const JOB_MS = 180_000;
/** Between two looks at a job. */
const LOOK_MS = 250;

export type SmokeOptions = {
  url: string;
  key?: string | undefined;
  /** What is asked; absent: the simulated model, which costs nothing, or whatever can be used. */
  model?: string | undefined;
  /** Only what needs no credentials. */
  openOnly?: boolean;
  /** There must be a console, too. */
  hasConsole?: boolean;
  print: (line: string) => void;
};

type Job = { job_id: string; status: string; is_complete: boolean; error_message?: string };
type ListedModel = { model: string; available: boolean };

/** Tries it, step by step. Throws a sentence at the first step that fails. */
export async function smoke({
  url,
  key,
  model,
  openOnly = false,
  hasConsole = false,
  print,
}: SmokeOptions): Promise<void> {
  const base = url.replace(/\/+$/, '');
  const call = caller(base, key);

  async function step<T>(name: string, act: () => Promise<{ said: string; value: T }>): Promise<T> {
    const startedMs = performance.now();
    const show = (mark: string, said: string) =>
      print(
        `${mark} ${name.padEnd(8)} ${`${Math.round(performance.now() - startedMs)} ms`.padStart(9)}  ${said}`.trimEnd(),
      );
    try {
      const { said, value } = await act();
      show('✓', said);
      return value;
    } catch (error) {
      const sentence = sentenceOf(error);
      show('✗', sentence);
      throw new StepError(`The step "${name}" failed at ${base}: ${sentence}`);
    }
  }
  const submit = async (prompt: string, more: object, asked: string): Promise<string> => {
    const body = { job_type: 'general_llm_request', model_id: asked, input_data: { prompt }, ...more };
    const job = await call<Job>('/api/llm/jobs/submit/', { method: 'POST', body: JSON.stringify(body) });
    if (!job.job_id) throw new StepError('the answer names no job_id');
    return job.job_id;
  };
  const status = (id: string) => call<Job>(`/api/llm/jobs/${id}/status/`);

  await step('health', async () => ({ said: '', value: await call('/health') }));
  await step('openapi', async () => {
    const { openapi, paths = {} } = await call<{ openapi?: string; paths?: object }>('/openapi.json');
    if (!openapi?.startsWith('3.')) throw new StepError('/openapi.json is no OpenAPI description');
    return { said: `${Object.keys(paths).length} paths`, value: undefined };
  });
  if (hasConsole) await step('console', async () => ({ said: await consoleOf(call), value: undefined }));
  if (openOnly) return;

  const asked = await step('models', async () => {
    const { models } = await call<{ models: ListedModel[] }>('/api/llm/models/');
    const usable = models.filter(({ available }) => available).map((each) => each.model);
    const chosen = model ?? (usable.includes('simulated') ? 'simulated' : usable[0]);
    if (chosen === undefined) throw new StepError('no model can be used: none of the providers has a key');
    return { said: `${usable.length} of ${models.length} can be used; asking ${chosen}`, value: chosen };
  });
  const id = await step('submit', async () => {
    const value = await submit('Say hello.', {}, asked);
    return { said: value, value };
  });
  await step('poll', async () => {
    const job = await untilOver(() => status(id));
    if (job.status !== 'completed') throw new StepError(`the job is ${job.status}: ${job.error_message}`);
    return { said: job.status, value: undefined };
  });
  await step('stream', async () => {
    const streamed = await submit('Say hello, slowly.', { stream: true }, asked);
    const events = await call.stream(`/api/llm/jobs/${streamed}/stream/`);
    if (events.at(-1) !== 'done')
      throw new StepError(`the stream ended after ${events.at(-1) ?? 'nothing'}, before done`);
    return { said: `${events.length} events`, value: undefined };
  });
  await step('cancel', async () => {
    const cancelled = await submit('Say nothing.', {}, asked);
    await call(`/api/llm/jobs/${cancelled}/cancel/`, { method: 'POST' });
    const job = await untilOver(() => status(cancelled));
    // Whoever is fast has answered before.
    if (!['cancelled', 'completed'].includes(job.status)) throw new StepError(`the job is ${job.status}`);
    return { said: job.status, value: undefined };
  });
}

/** Loads its page, which must have a policy, and the files that this names. */
async function consoleOf({ page }: ReturnType<typeof caller>): Promise<string> {
  const { text, policy } = await page('/');
  if (!policy.includes("default-src 'none'")) throw new StepError('/ is no page of ours: it has no policy');
  const files = [...text.matchAll(/(?:src|href)="(\/console\/[^"]+)"/g)].map(([, path = '']) => path);
  if (files.length === 0) throw new StepError('/ names no files of the console');
  for (const file of files) await page(file);
  return `${files.length} files`;
}

async function untilOver(read: () => Promise<Job>): Promise<Job> {
  const untilMs = performance.now() + JOB_MS;
  for (;;) {
    const job = await read();
    if (job.is_complete) return job;
    if (performance.now() > untilMs) throw new StepError(`the job is still ${job.status} after ${JOB_MS / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function caller(base: string, key: string | undefined) {
  const credentials: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  async function send(path: string, init: RequestInit = {}, patienceMs = REQUEST_MS): Promise<Response> {
    const headers = { ...credentials, ...(init.body ? { 'Content-Type': 'application/json' } : {}) };
    const signal = AbortSignal.timeout(patienceMs);
    const response = await fetch(`${base}${path}`, { ...init, headers, signal, redirect: 'manual' });
    if (response.ok) return response;
    const { error } = (await response.json().catch(() => ({}))) as { error?: string };
    const wanted =
      response.status === 401 && key === undefined ? ' Give --key: npm run keys -- create --name smoke.' : '';
    throw new StepError(`${path} answered ${response.status}. ${error ?? ''}${wanted}`.trim());
  }
  async function call<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await send(path, init);
    return (await response.json().catch(() => {
      throw new StepError(`${path} answered no JSON: is this llm-jobs?`);
    })) as T;
  }
  call.page = async (path: string) => {
    const response = await send(path);
    return { text: await response.text(), policy: response.headers.get('Content-Security-Policy') ?? '' };
  };
  /** The names of the events until the stream ends. */
  call.stream = async (path: string): Promise<string[]> => {
    const response = await send(path, {}, JOB_MS);
    const events = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
    const names: string[] = [];
    for await (const { event } of events ?? []) {
      names.push(event ?? 'message');
      if (event === 'done') break;
    }
    return names;
  };
  return call;
}

function sentenceOf(error: unknown): string {
  if (error instanceof StepError) return error.message;
  const { name, message, cause } = error as Error & { cause?: { code?: string } };
  if (name === 'TimeoutError') return 'there was no answer in time.';
  return cause?.code === undefined ? message : `nobody answers there (${cause.code}).`;
}

/** What these words ask for. Throws a sentence for people. */
export function optionsOf(args: string[]): Omit<SmokeOptions, 'print'> {
  const { options, given, operands } = wordsOf('smoke', ['url', 'key', 'model'] as const, args, [
    ...(['open-only', 'console'] as const),
  ]);
  refuseOperands('smoke', operands);
  const { url = '', key = process.env.LLM_JOBS_KEY, model } = options;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new OperatorError('--url must be the address of the service: https://… or http://127.0.0.1:8080.');
  }
  return { url, key: key || undefined, model, openOnly: given.has('open-only'), hasConsole: given.has('console') };
}

if (process.argv[1] === import.meta.filename) {
  await answering(USAGE, (args) => smoke({ ...optionsOf(args), print: console.log }));
}
