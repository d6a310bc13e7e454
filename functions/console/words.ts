/** How things are said: statuses, times, amounts. */
import type { JobStatus } from '../../shared/client/client.ts';

export const STATUSES: readonly JobStatus[] = ['pending', 'processing', 'completed', 'failed', 'cancelled'];

export const STATUS_WORDS: Readonly<Record<JobStatus, string>> = {
  pending: 'Waiting',
  processing: 'Running',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

/** `trainer_question_analysis` as people say it. */
export function inWords(name: string): string {
  const text = name.replaceAll('_', ' ').replace(/\bllm\b/, 'LLM');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const dayAndTime = new Intl.DateTimeFormat('en-GB', {
  ...({ day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const),
});

/** An instant, as the viewer's clock shows it. */
export function timeOf(instant: string | number): string {
  return dayAndTime.format(new Date(instant));
}

/** How long something took: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `24 h`. */
export function durationOf(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return inUnits(whole, 'min', 's');
  return inUnits(Math.round(whole / 60), 'h', 'min');
}

/** Of so many of the smaller unit, sixty of which are one of the larger. */
function inUnits(count: number, larger: string, smaller: string): string {
  const rest = count % 60;
  return `${Math.floor(count / 60)} ${larger}${rest > 0 ? ` ${rest} ${smaller}` : ''}`;
}

/** How long ago, roughly. */
export function agoOf(instant: string, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - Date.parse(instant)) / 1_000);
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

/** US dollars; a job costs fractions of a cent. `null`: nobody knows its price. */
export function costOf(dollars: number | null): string {
  if (dollars === null) return 'price unknown';
  if (dollars === 0) return '$0';
  if (dollars < 0.01) return `$${dollars.toPrecision(2)}`;
  return `$${dollars.toFixed(2)}`;
}

const numbers = new Intl.NumberFormat('en-GB');
/** `12,345`. */
export const countOf = (count: number): string => numbers.format(count);
