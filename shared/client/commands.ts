/** The commands of the command line, from words to the number that the program ends with; all it touches is handed in. */
import { jobTypeIn, submissionIn } from './command-line-input.ts';
import { answerOf, type Output, type Printer, resultOf, summaryOf } from './command-line-output.ts';
import { EXIT, ended, type Run, runOf, type World } from './command-line-run.ts';
import {
  type Command,
  helpOf,
  isCommand,
  numberIn,
  oneOf,
  UsageError,
  usage,
  usageOf,
  wordsOf,
} from './command-line-words.ts';
import { LlmJobsError } from './errors.ts';
import type { JobEvent } from './streaming.ts';
import type { EndedJob, JobStatus, JobView, ListFilters } from './views.ts';

const PAGE_MOST = 100;
const LIST_JOBS = 20;
const STATUSES: Record<JobStatus, true> = {
  pending: true,
  processing: true,
  completed: true,
  failed: true,
  cancelled: true,
};

const ACTS: { readonly [command in Command]: (run: Run) => Promise<number> } = {
  submit,
  wait,
  tail: follow,
  list,
  cancel,
};

/** Does what the words say, and answers what the program ends with. */
export async function runCommand(args: readonly string[], world: World): Promise<number> {
  const [command, ...rest] = args;
  const { stdout, stderr } = world;
  if (command === '--version') return printAndEnd(stdout, world.version);
  if (command === '--help' || command === '-h') return printAndEnd(stdout, usage());
  if (!isCommand(command)) {
    const wrong = command === undefined ? 'Say what to do.' : `'${command}' is no command.`;
    return printAndEnd(stderr, `${wrong}\n${usage()}`, EXIT.usage);
  }
  let run: Run | undefined;
  try {
    const words = wordsOf(command, rest);
    if (words.flags.has('help')) return printAndEnd(stdout, helpOf(command));
    run = runOf(words, world);
    const code = await ACTS[command](run);
    run.output.endBar('remove');
    return code;
  } catch (error) {
    const isWrong = error instanceof LlmJobsError && error.code === 'invalid_request' && error.status === undefined;
    if (isWrong || error instanceof UsageError) {
      run?.output.endBar('remove');
      return printAndEnd(stderr, `${error.message}\n${usageOf(command)}`, EXIT.usage);
    }
    if (run === undefined) throw error;
    return ended(run, error);
  }
}

function printAndEnd(printer: Printer, text: string, code: number = EXIT.done): number {
  printer.write(`${text}\n`);
  return code;
}

async function submit(run: Run): Promise<number> {
  const { words, world, client, jobId, limits, output } = run;
  const submission = await submissionIn(words, world);
  const startedMs = performance.now();
  const isFollowed = words.flags.has('stream') || words.flags.has('wait');
  if (isFollowed) {
    output.draw({ progress: 0, message: 'Submitting' });
    await client.submit(submission, { jobId, ...limits });
    output.note(`Job ${jobId}`);
    const { timeoutMs } = limits;
    const left = timeoutMs && { timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedMs)) };
    return ACTS[words.flags.has('stream') ? 'tail' : 'wait']({ ...run, limits: { ...limits, ...left } });
  }
  const submitted = await client.submit(submission, { jobId, ...limits });
  await output.json(submitted);
  await output.text(`${jobId}\n`);
  output.note(`Wait for it: ${run.other('wait')}`);
  return EXIT.done;
}

async function wait(run: Run): Promise<number> {
  run.output.draw({ progress: 0, message: `Job ${run.jobId}` });
  return endOf(run, await whenOver(run));
}

/** The job when it is over. Where a bar is drawn its stream says how far it is: a held answer comes with the next change. */
async function whenOver({ client, jobId, limits, output }: Run): Promise<EndedJob> {
  if (!output.isDrawn) return client.wait(jobId, limits);
  for await (const event of client.stream(jobId, limits)) {
    if (event.type === 'done') return event.job;
    if (event.type !== 'delta' && event.type !== 'reset') output.draw('job' in event ? event.job : event);
  }
  throw endless(jobId);
}

/** Shows a job that is over. */
async function endOf({ output }: Run, job: EndedJob): Promise<number> {
  output.draw(job);
  output.endBar('keep');
  await output.json(job);
  const answer = job.status === 'completed' ? answerOf(job) : '';
  if (answer !== '') await output.text(`${answer}\n`);
  return endingOf(output, job);
}

/** Says how it ended. */
function endingOf(output: Output, job: EndedJob): number {
  if (job.status === 'failed') output.note(`${job.error_message} (${job.error_code})`);
  output.note(summaryOf(job, job.processing_time));
  return job.status === 'completed' ? EXIT.done : EXIT.failed;
}

async function follow({ client, jobId, limits, output }: Run): Promise<number> {
  let shown = '';
  async function show(text: string): Promise<void> {
    if (!text.startsWith(shown)) {
      await output.text('\n');
      output.note('The text so far does not count:');
      shown = '';
    }
    await output.text(text.slice(shown.length));
    shown = text;
  }

  output.draw({ progress: 0, message: `Job ${jobId}` });
  for await (const event of client.stream(jobId, limits)) {
    await output.json(lineOf(event));
    if (event.type === 'done') {
      const { job } = event;
      const answer = job.status === 'completed' ? answerOf(job) : '';
      // What was checked and made a value was seen as the text that it came as.
      const isSeen = shown !== '' && (shown.startsWith(answer) || typeof resultOf(job) !== 'string');
      if (!isSeen) await show(answer);
      if (shown !== '') await output.text('\n');
      output.endBar('remove');
      return endingOf(output, job);
    }
    if ('soFar' in event) await show(event.soFar);
    if (shown !== '' || event.type === 'delta' || event.type === 'reset') continue;
    output.draw('job' in event ? event.job : event);
  }
  throw endless(jobId);
}

const endless = (jobId: string) => new LlmJobsError('bad_answer', 'The stream ended before the job.', { jobId });

/** An event as JSON: the whole text once, in a snapshot, and then what is added to it. */
function lineOf(event: JobEvent): object {
  if (!('soFar' in event)) return event;
  const { soFar, ...rest } = event;
  return event.type === 'snapshot' ? { ...rest, text: soFar } : rest;
}

async function list({ words, client, output, limits }: Run): Promise<number> {
  const isAll = words.flags.has('all');
  const most = numberIn('limit', words);
  if (isAll && most !== undefined) throw new UsageError('--all goes without --limit.');
  const filters: ListFilters = { limit: isAll ? PAGE_MOST : Math.min(PAGE_MOST, most ?? LIST_JOBS) };
  const status = oneOf('status', STATUSES, words);
  if (status !== undefined) filters.status = status;
  const type = jobTypeIn(words);
  if (type !== undefined) filters.job_type = type;
  const [tag] = words.tags;
  if (tag !== undefined) filters.tag = tag;
  let count = 0;
  for await (const job of client.list(filters, limits)) {
    await output.json(job);
    await output.text(rowOf(job));
    count += 1;
    if (!isAll && count === (most ?? LIST_JOBS)) break;
  }
  if (count === 0) output.note('There are no such jobs.');
  else if (count === LIST_JOBS && !isAll && most === undefined) output.note(`The newest ${count}; --all lists all.`);
  return EXIT.done;
}

function rowOf({ job_id, status, progress, created_at, job_type, model, tags = [] }: JobView): string {
  const cells = [job_id, status.padEnd(10), `${progress} %`.padStart(5), created_at, job_type, model.name, ...tags];
  return `${cells.join('  ')}\n`;
}

async function cancel({ client, jobId, limits, output }: Run): Promise<number> {
  const job = await client.cancel(jobId, limits);
  await output.json(job);
  const said = job.is_complete ? `The job is over: ${job.status}.` : 'The job is told to end, and will in a moment.';
  await output.text(`${said}\n`);
  return EXIT.done;
}
