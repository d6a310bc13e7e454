/** What was used, by day, model, job type or arm: the rows of a report, each a sum that the store makes. */
import { ownerOf, type Principal, seesAll } from './access.ts';
import { auditTenant } from './audit.ts';
import { NOTHING_SPENT, type Spent } from './costs.ts';
import { type FieldError, invalidRequest } from './errors.ts';
import type { JobType } from './job-type.ts';
import type { ModelCatalog } from './llm.ts';
import type { Clock, JobStore, Log, UsageQuery, UsageSums } from './ports.ts';
import { dayOf } from './utc.ts';

export const USAGE_GROUPINGS = ['day', 'model', 'job_type', 'arm'] as const;
export type UsageGrouping = (typeof USAGE_GROUPINGS)[number];

/** Days are UTC's, as `2025-01-18`; both are in the report. */
export type UsageReportQuery = { groupBy: UsageGrouping; from?: string | undefined; to?: string | undefined };

/** `key`: a day, a model's name in requests, a job type, an arm, `OTHER`, or of arms `NONE`. */
export type UsageRow = { key: string; sums: UsageSums };
export type UsageReport = { from: string; to: string; rows: UsageRow[]; total: UsageSums };

export type UsageReporting = {
  /**
   * What the principal's jobs that were created on these days used, whatever became of them; with scope `admin` those of
   * the tenant. Without days the last seven. By day there is a row for each, by model, job type and arm for those that were
   * used; what is installed no more is in the row `OTHER`, jobs of no experiment in `NONE`. Costs up to three sums of the
   * store for each row, and one look for each model, type or arm. Throws `invalid_request` naming `from` or `to`.
   */
  usage(principal: Principal, query: UsageReportQuery): Promise<UsageReport>;
};

/** The row of what has no row of its own. */
export const OTHER = 'other';
/** The row of jobs that belong to no arm; no arm is called so, for each has a slash. */
export const NONE = 'none';
/** So many arms have a row of their own. */
export const ARMS_MOST = 100;

export const USAGE_DAYS_MOST = 31;
const DAYS_USUAL = 7;
const DAY_MS = 86_400_000;
/** So many sums are asked for side by side. */
const AT_ONCE = 8;

export type UsageReportingOptions = {
  store: Pick<JobStore, 'usage' | 'arms'>;
  models: ModelCatalog;
  jobTypes: ReadonlyMap<string, JobType>;
  clock: Clock;
  log: Log;
};

export function usageReporting({ store, models, jobTypes, clock, log }: UsageReportingOptions): UsageReporting {
  async function sumsOf(queries: readonly { key: string; query: UsageQuery }[]): Promise<UsageRow[]> {
    const rows: UsageRow[] = [];
    const waiting = queries.entries();
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      for (const [index, { key, query }] of waiting) rows[index] = { key, sums: await store.usage(query) };
    });
    await Promise.all(lanes);
    return rows;
  }

  async function byDay(all: UsageQuery): Promise<Pick<UsageReport, 'rows' | 'total'>> {
    const days = Array.from(
      { length: (all.createdTo - all.createdFrom) / DAY_MS },
      (_, n) => n * DAY_MS + all.createdFrom,
    );
    const rows = await sumsOf(
      days.map((dayMs) => ({ key: dayOf(dayMs), query: { ...all, createdFrom: dayMs, createdTo: dayMs + DAY_MS } })),
    );
    return { rows, total: rows.map(({ sums }) => sums).reduce((left, right) => add(left, right)) };
  }

  async function byArm({ tenant, user, ...days }: UsageQuery) {
    const arms = await store.arms({ tenant, user }, ARMS_MOST + 1);
    const kinds = new Map(arms.slice(0, ARMS_MOST).map((arm) => [arm, { arm }]));
    // What is left may be of arms that have no row.
    return byKind({ tenant, user, ...days }, kinds, arms.length > ARMS_MOST ? OTHER : NONE);
  }

  async function byKind(all: UsageQuery, kinds: ReadonlyMap<string, Partial<UsageQuery>>, restKey = OTHER) {
    const known = await sumsOf([...kinds].map(([key, kind]) => ({ key, query: { ...all, ...kind } })));
    const rows = known.filter(({ sums }) => sums.jobs > 0);
    // Last, so that a job that comes meanwhile cannot make the parts more than the whole.
    const total = await store.usage(all);
    const rest = known.reduce((left, { sums }) => add(left, sums, -1), total);
    // Of what was not counted to its end nobody knows what is left.
    if (rest.jobs > 0 && !rest.isTruncated) rows.push({ key: restKey, sums: rest });
    return { rows, total };
  }

  const sumBy: { [by in UsageGrouping]: (all: UsageQuery) => Promise<Pick<UsageReport, 'rows' | 'total'>> } = {
    day: byDay,
    model: (all) => byKind(all, modelKinds(models)),
    job_type: (all) => byKind(all, typeKinds(jobTypes)),
    arm: byArm,
  };

  return {
    async usage(principal, { groupBy, ...given }) {
      const { fromMs, toMs } = daysOf(given, clock.nowMs());
      if (seesAll(principal)) auditTenant(log, principal, 'usage');
      const all = { ...ownerOf(principal), createdFrom: fromMs, createdTo: toMs + DAY_MS };
      const summed = await sumBy[groupBy](all);
      return { from: dayOf(fromMs), to: dayOf(toMs), ...summed };
    },
  };
}

function modelKinds(models: ModelCatalog): Map<string, { modelId: string }> {
  return new Map(models.list().map(({ reference, runs }) => [nameOf(models, reference, runs), { modelId: runs.id }]));
}

/** Two providers may have a model of one name. */
function nameOf(models: ModelCatalog, reference: string, { id, provider }: { id: string; provider: string }): string {
  return models.find(reference)?.id === id ? reference : `${provider}/${reference}`;
}

function typeKinds(jobTypes: ReadonlyMap<string, JobType>): Map<string, { jobType: string }> {
  return new Map([...jobTypes.keys()].map((jobType) => [jobType, { jobType }]));
}

function add(left: UsageSums, right: UsageSums, times: 1 | -1 = 1): UsageSums {
  const names = ['jobs', ...Object.keys(NOTHING_SPENT)] as ('jobs' | keyof Spent)[];
  const sums = Object.fromEntries(names.map((name) => [name, Math.max(0, left[name] + times * right[name])]));
  return { ...left, ...sums, ...(left.isTruncated || right.isTruncated ? { isTruncated: true } : {}) };
}

/** The first and the last day, as the instants at which they begin. */
function daysOf({ from, to }: Omit<UsageReportQuery, 'groupBy'>, nowMs: number): { fromMs: number; toMs: number } {
  const wrong: FieldError[] = [];
  const parse = (path: string, day: string) => {
    const ms = Date.parse(`${day}T00:00:00Z`);
    // The store knows no other years.
    const isDay = /^[12]\d{3}-\d\d-\d\d$/.test(day) && ms >= 0 && dayOf(ms) === day;
    if (!isDay) wrong.push({ path, message: 'must be a day, like 2025-01-18' });
    return ms;
  };
  const toMs = to === undefined ? Math.floor(nowMs / DAY_MS) * DAY_MS : parse('to', to);
  const fromMs = from === undefined ? toMs - (DAYS_USUAL - 1) * DAY_MS : parse('from', from);
  if (wrong.length > 0) throw invalidRequest(wrong);
  const days = (toMs - fromMs) / DAY_MS + 1;
  const until = to === undefined ? `today, ${dayOf(toMs)}` : 'to';
  if (days < 1) throw invalidRequest([{ path: 'from', message: `must not be after ${until}` }]);
  if (days > USAGE_DAYS_MOST) {
    const message = `must be at most ${USAGE_DAYS_MOST} days before ${until}, that day included; it is ${days}`;
    throw invalidRequest([{ path: 'from', message }]);
  }
  return { fromMs, toMs };
}
