/** What the usage page asks for, and what it makes of the answers. Pure. */

export const GROUPINGS = ['model', 'job_type', 'arm'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export type Sums = {
  jobs: number;
  input_tokens: number;
  output_tokens: number;
  /** `null`: nobody knows any of its prices. */
  cost: number | null;
  estimated_cost: number;
  unpriced_attempts: number;
  truncated?: true;
};
export type UsageRow = Sums & Partial<Record<'day' | Grouping, string>>;

/** As `GET /api/llm/usage/` answers. */
export type UsageReport = { from: string; to: string; rows: readonly UsageRow[]; total: Sums };

export type Days = { from: string; to: string };

/** So many days the API takes at a time, */
const ASKED_MOST = 31;
/** and so many are shown. */
export const DAYS_MOST = 92;
const DAY_MS = 86_400_000;

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const msOf = (day: string) => Date.parse(`${day}T00:00:00Z`);

/** The last so many days of UTC, today included. */
export function lastDays(count: number, nowMs: number): Days {
  return { from: dayOf(nowMs - (count - 1) * DAY_MS), to: dayOf(nowMs) };
}

/** What is wrong with a pair of days; `undefined`: nothing. */
export function wrongDays({ from, to }: Days): string | undefined {
  const days = (msOf(to) - msOf(from)) / DAY_MS + 1;
  if (Number.isNaN(days)) return 'Give both days.';
  if (days < 1) return 'The first day must not be after the last one.';
  return days > DAYS_MOST ? `These are ${days} days; at most ${DAYS_MOST} are shown.` : undefined;
}

/** In pieces that the API takes, the earliest first. */
export function piecesOf({ from, to }: Days): Days[] {
  const pieces: Days[] = [];
  for (let ms = msOf(from); ms <= msOf(to); ms += ASKED_MOST * DAY_MS) {
    pieces.push({ from: dayOf(ms), to: dayOf(Math.min(msOf(to), ms + (ASKED_MOST - 1) * DAY_MS)) });
  }
  return pieces;
}

/** One report of those of the pieces; what several have a row of has one. */
export function joined(reports: readonly UsageReport[], key: 'day' | Grouping): UsageReport {
  const rows = new Map<string, UsageRow>();
  for (const row of reports.flatMap((report) => report.rows)) {
    const name = row[key] ?? '';
    const before = rows.get(name);
    rows.set(name, before ? { ...row, ...added(before, row) } : row);
  }
  return {
    from: reports[0]?.from ?? '',
    to: reports.at(-1)?.to ?? '',
    rows: [...rows.values()],
    total: reports.map(({ total }) => total).reduce(added),
  };
}

function added(left: Sums, right: Sums): Sums {
  // Of what nobody used the cost is 0, and says nothing of the other's.
  const isUnknown = (left.cost ?? 0) + (right.cost ?? 0) === 0 && (left.cost === null || right.cost === null);
  return {
    jobs: left.jobs + right.jobs,
    input_tokens: left.input_tokens + right.input_tokens,
    output_tokens: left.output_tokens + right.output_tokens,
    cost: isUnknown ? null : (left.cost ?? 0) + (right.cost ?? 0),
    estimated_cost: left.estimated_cost + right.estimated_cost,
    unpriced_attempts: left.unpriced_attempts + right.unpriced_attempts,
    ...((left.truncated || right.truncated) && { truncated: true }),
  };
}
