/**
 * `npm run redrive`: makes a new job of each job that failed or was cancelled and that the options name, once, in the SQLite
 * file of `npm start` (which must not be running: it holds the file alone), or in Firestore with `--project` or the emulator.
 * Ids go to standard output, all else to standard error. Stopped half-way, the next run does the rest.
 */

import { drawProgress } from '../shared/client/progress-bar.ts';
import type { Principal } from '../shared/core/access.ts';
import { type ErrorCode, isServiceError } from '../shared/core/errors.ts';
import { isJobId, isUser } from '../shared/core/ids.ts';
import type { Job } from '../shared/core/job.ts';
import type { JobPosition } from '../shared/core/ports.ts';
import type { ListFilter } from '../shared/core/reading.ts';
import { isRedrivable } from '../shared/core/redrivable.ts';
import type { JobService } from '../shared/core/service.ts';
import { toTime } from '../shared/core/utc.ts';
import type { Runtime } from '../shared/runtime.ts';
import { type Operation, OperatorError, operate, printTable, refuseOperands, tenantIn, wordsOf } from './operating.ts';

const USAGE = `Usage:
  npm run redrive -- [--tenant default] [--user ada] [--status failed|cancelled] [--code rate_limited] [--type general_llm_request]
    [--model gpt-4o] [--tag nightly] [--batch <id>] [--after 2025-01-18T00:00:00Z] [--before …] [--limit 100] [--dry-run]
It takes --project <id>: the jobs in that project's Firestore, not those in the file that DATABASE_URL names. --after and
--before are about when jobs were created, --limit counts those that were not redriven before. --dry-run shows which, and does
nothing. Models are usable where their keys are set, or CONFIGURED_PROVIDERS names their providers.`;

const OPTIONS = [
  ...(['tenant', 'user', 'status', 'code', 'type', 'model', 'tag', 'batch', 'after', 'before', 'limit'] as const),
  'project',
] as const;
type Options = Partial<Record<(typeof OPTIONS)[number], string>>;

const PAGE = 100;
/** So many are under way at once. */
const AT_ONCE = 10;
const JOBS_MOST = 1_000_000;
/** Repeating these, nothing else would come of it. */
const IN_VAIN: readonly ErrorCode[] = [
  ...(['job_not_failed', 'job_not_found', 'job_id_taken', 'input_removed'] as const),
  ...(['invalid_request', 'input_too_large'] as const),
];

type Wanted = { filter: Omit<ListFilter, 'limit' | 'offset' | 'after'>; code: string | undefined; most: number };
/** What is shown of a job, and no more: there may be very many, and an answer that could not be used is large. */
type Row = Pick<Job, 'id' | 'user' | 'jobType' | 'model' | 'error' | 'completedAt'>;
type Found = { jobs: Row[]; before: number; without: number };
type Tally = { made: number; before: number; refused: Map<string, number>; untried: number; isRepeatable: boolean };

/** What these words ask for. Throws a sentence for people, before anything is opened. */
export function actOf(args: string[]): Operation {
  const { options, given, operands } = wordsOf('redrive', OPTIONS, args, ['dry-run'] as const);
  refuseOperands('redrive', operands);
  const operator: Principal = { tenant: tenantIn(options) ?? 'default', user: 'operator', scopes: ['admin'] };
  const wanted = wantedBy(options);
  return {
    project: options.project,
    needsFile: true,
    async act(runtime) {
      const filter = { ...wanted.filter, ...(await namesIn(options, runtime)) };
      const found = await find(runtime.service, operator, { ...wanted, filter });
      if (given.has('dry-run')) return show(found);
      const tally = await redriveAll(runtime.service, operator, found);
      report(tally, found);
    },
  };
}

/** All that fit, the newest first: what is made meanwhile is not among them. */
async function find(service: JobService, operator: Principal, { filter, code, most }: Wanted): Promise<Found> {
  const found: Found = { jobs: [], before: 0, without: 0 };
  let after: JobPosition | undefined;
  do {
    const page = await service.list(operator, { ...filter, after, limit: PAGE, offset: 0 });
    for (const { job } of page.jobs) {
      if (found.jobs.length >= most) break;
      if (code !== undefined && job.error?.code !== code) continue;
      if (isRedrivable(job)) found.jobs.push(rowOf(job));
      else if (job.redrivenAs === undefined) found.without += 1;
      else found.before += 1;
    }
    after = page.next;
  } while (after && found.jobs.length < most);
  return found;
}

function rowOf({ id, user, jobType, model, error, completedAt }: Job): Row {
  return { id, user, jobType, model, error, completedAt };
}

async function redriveAll(service: JobService, operator: Principal, { jobs }: Found): Promise<Tally> {
  const tally: Tally = { made: 0, before: 0, refused: new Map(), untried: 0, isRepeatable: false };
  const waiting = jobs.values();
  let done = 0;
  /** In a row: a store that says nothing is not asked for the rest. */
  let unanswered = 0;

  async function redrive({ id }: Row): Promise<void> {
    try {
      const { job, replayed } = await service.redrive(operator, id);
      unanswered = 0;
      tally[replayed ? 'before' : 'made'] += 1;
      if (!process.stdout.isTTY) console.log(`${id} ${job.id}`);
    } catch (error) {
      const code = isServiceError(error) ? error.code : 'internal_error';
      unanswered = code === 'store_unavailable' ? unanswered + 1 : 0;
      tally.refused.set(code, (tally.refused.get(code) ?? 0) + 1);
      tally.isRepeatable ||= !IN_VAIN.includes(code);
      if (!process.stdout.isTTY) console.log(`${id} - ${code}`);
    }
  }

  drawProgress(done, jobs.length);
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    for (const job of waiting) {
      if (unanswered >= AT_ONCE) tally.untried += 1;
      else await redrive(job);
      done += 1;
      drawProgress(done, jobs.length);
    }
  });
  await Promise.all(lanes);
  return tally;
}

function show({ jobs, before, without }: Found): void {
  const heads = ['id', 'user', 'type', 'model', 'code', 'ended'];
  const rows = jobs.map(({ id, user, jobType, model, error, completedAt }) => [
    ...[id, user, jobType, model.name, error?.code ?? '-'],
    completedAt === undefined ? '-' : toTime(completedAt),
  ]);
  printTable(heads, rows);
  console.error(`${sentence(jobs.length, 'would be redriven')}${beside(before, without)}. Nothing was changed.`);
}

function report({ made, before, refused, untried, isRepeatable }: Tally, found: Found): void {
  const lines = [`${sentence(made, 'redriven')}${beside(found.before + before, found.without)}.`];
  for (const [code, jobs] of refused) lines.push(`${sentence(jobs, 'could not be redriven')}: ${code}.`);
  if (untried > 0) lines.push(`${sentence(untried, 'not tried')}: the store gave no answer.`);
  if (isRepeatable) lines.push('Run it again for those: what was redriven stays as it is.');
  console.error(lines.join('\n'));
  if (isRepeatable) process.exitCode = 1;
}

function beside(before: number, without: number): string {
  const gone = without > 0 ? `, ${without} without their input` : '';
  return `${before > 0 ? `, ${before} redriven before` : ''}${gone}`;
}

function sentence(jobs: number, what: string): string {
  return `${jobs} ${jobs === 1 ? 'job' : 'jobs'} ${what}`;
}

function wantedBy(options: Options): Wanted {
  const { status = 'failed', code, user, tag, batch, after, before, limit } = options;
  if (status !== 'failed' && status !== 'cancelled') throw new OperatorError('--status must be failed or cancelled.');
  if (code !== undefined && !/^[a-z][a-z_]{0,63}$/.test(code)) {
    throw new OperatorError('--code must be an error code as jobs show it, like rate_limited.');
  }
  if (code !== undefined && status === 'cancelled') throw new OperatorError('--code is of failed jobs: leave it out.');
  if (user !== undefined && !isUser(user)) {
    throw new OperatorError('--user must be 1 to 300 visible characters, as jobs show it: firebase:…, oidc:…, key:….');
  }
  if (tag === '') throw new OperatorError('--tag must name a tag.');
  if (batch !== undefined && !isJobId(batch.toLowerCase())) {
    throw new OperatorError('--batch must be the id of a batch, a UUID.');
  }
  const [createdAfter, createdBefore] = [instantIn('after', after), instantIn('before', before)];
  const filter = { state: status, user, tag, batchId: batch?.toLowerCase(), createdAfter, createdBefore } as const;
  return { filter, code, most: limit === undefined ? JOBS_MOST : limitIn(limit) };
}

/** What only this service's own lists can tell. */
async function namesIn(
  { type, model }: Options,
  { models }: Runtime,
): Promise<Pick<ListFilter, 'jobType' | 'modelId'>> {
  const { jobTypesByName } = await import('../shared/job-types/registry.ts');
  if (type !== undefined && !jobTypesByName.has(type)) {
    throw new OperatorError(`--type must be one of ${[...jobTypesByName.keys()].join(', ')}.`);
  }
  const modelId = model === undefined ? undefined : models.find(model)?.id;
  if (model !== undefined && modelId === undefined) {
    const near = models.near(model);
    throw new OperatorError(
      `--model: there is no model ${model}${near[0] ? `; did you mean ${near.join(' or ')}?` : '.'}`,
    );
  }
  return { jobType: type, modelId };
}

function instantIn(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const isInstant = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = isInstant ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new OperatorError(`--${option} must be a day or a time of it with its zone: 2025-01-18, 2025-01-18T10:15:30Z.`);
}

function limitIn(text: string): number {
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= JOBS_MOST) return limit;
  throw new OperatorError(`--limit must be a whole number from 1 to ${JOBS_MOST}.`);
}

if (process.argv[1] === import.meta.filename) await operate(USAGE, actOf);
