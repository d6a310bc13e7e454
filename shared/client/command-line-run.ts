/** One run of the command line: what it touches, what its words make of that, and what it ends with. */
import { alwaysActive, createClient, type JobsClient } from './client.ts';
import { checkToken, type Input, tokenFrom } from './command-line-input.ts';
import { errorBody, errorLine, type Output, outputTo, type Printer } from './command-line-output.ts';
import { type Command, numberIn, UsageError, type Words } from './command-line-words.ts';
import { LlmJobsError } from './errors.ts';
import { isClientJobId, isJobId, newJobId } from './job-id.ts';
import { isPassing } from './requests.ts';

/** What a run of the program has to do with. `signal` fires when somebody wants it to end. */
export type World = Input & {
  stdout: Printer;
  stderr: Printer;
  environment: { readonly [name: string]: string | undefined };
  fetch: typeof fetch;
  version: string;
};

/** What the program ends with. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, timeUp: 4, interrupted: 130 } as const;

const DEFAULT_URL = 'http://127.0.0.1:8080';
/** One command under way. */
export type Run = {
  words: Words;
  world: World;
  output: Output;
  client: JobsClient;
  /** The job that it is about. */
  jobId: string;
  limits: { signal: AbortSignal; timeoutMs?: number };
  /** Another command on that job, to be pasted. */
  other(command: Command): string;
};

/** What these words are to do; throws where they can't. */
export function runOf(words: Words, world: World): Run {
  const { values, flags, command } = words;
  const { stdout, stderr, signal } = world;
  const output = outputTo(stdout, stderr, flags.has('json') || !(flags.has('text') || stdout.isTTY));
  const timeout = numberIn('timeout', words);
  const service = (['url', 'token-file'] as const).map((name) =>
    values[name] === undefined ? '' : ` --${name} ${wordFor(values[name])}`,
  );
  const jobId = command === 'submit' ? (values.id ?? newJobId()) : (words.operand ?? '');
  if (command === 'submit' && !isClientJobId(jobId)) throw new UsageError('--id must be a UUID of version 4 or 7.');
  if (command !== 'submit' && command !== 'list' && !isJobId(jobId)) {
    throw new UsageError(`'${jobId}' is not the id of a job, a UUID.`);
  }
  return {
    ...{ words, world, output, jobId },
    client: clientOf(words, world, output),
    limits: { signal, ...(timeout !== undefined && { timeoutMs: timeout * 1_000 }) },
    other: (other) => `npx llm-jobs ${other} ${jobId}${service.join('')}`,
  };
}

/** A word as a shell takes it. */
function wordFor(text: string): string {
  return /^[\w@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function clientOf({ values }: Words, world: World, output: Output): JobsClient {
  const { LLM_JOBS_URL, LLM_JOBS_TOKEN } = world.environment;
  const path = values['token-file'];
  const given = LLM_JOBS_TOKEN ? { token: checkToken('LLM_JOBS_TOKEN', LLM_JOBS_TOKEN) } : {};
  const credentials = path === undefined ? given : { token: tokenFrom(path, world) };
  const baseUrl = values.url ?? (LLM_JOBS_URL || DEFAULT_URL);
  // Who waits in silence should see why.
  const told: typeof fetch = async (...asked) => {
    const response = await world.fetch(...asked).catch((error: unknown) => {
      if (!world.signal.aborted) output.drawMessage(`${baseUrl} cannot be reached; trying again`);
      throw error;
    });
    if (response.status >= 500) output.drawMessage(`${baseUrl} answers ${response.status}; trying again`);
    return response;
  };
  try {
    return createClient({ baseUrl, ...credentials, fetch: told, visibility: alwaysActive });
  } catch {
    // Passwords are no words for a log.
    const shown = baseUrl.replace(/\/\/.*@/, '//…@');
    throw new UsageError(`--url or LLM_JOBS_URL must be the http or https URL of the API; it is '${shown}'.`);
  }
}

/** Says why a run ended early, and how to go on. */
export function ended(run: Run, thrown: unknown): number {
  const { words, world, jobId, output, other } = run;
  const { command } = words;
  output.endBar('keep');
  if (world.signal.aborted) {
    const fates = { submit: 'If the job was submitted it goes on', cancel: 'The job may end', list: '' };
    const fate = { wait: 'The job goes on', tail: 'The job goes on', ...fates }[command];
    const rest = fate && ` ${fate}: ${other(command === 'tail' ? 'tail' : 'wait')}`;
    tell(run, new LlmJobsError('interrupted', `Interrupted.${rest}`, { jobId: jobId || undefined }));
    return EXIT.interrupted;
  }
  // A wait whose time is up may have heard nothing but errors.
  const error = thrown instanceof LlmJobsError && thrown.cause instanceof LlmJobsError ? thrown.cause : thrown;
  if (!(error instanceof LlmJobsError)) throw error;
  tell(run, error);
  // Also a 503 may come of a write whose answer was lost.
  const isUnsure = command === 'submit' && isPassing(error) && error.status !== 429;
  if (isUnsure) output.note(`It may be stored all the same: submit it again with --id ${jobId}, and it is one job.`);
  if (error.code !== 'wait_timeout') return EXIT.refused;
  output.note(`Take it up: ${other('wait')}`);
  return EXIT.timeUp;
}

function tell({ output, world }: Run, error: LlmJobsError): void {
  if (output.isJson) world.stderr.write(`${JSON.stringify(errorBody(error))}\n`);
  else output.note(error.code === 'interrupted' ? error.message : errorLine(error));
}
