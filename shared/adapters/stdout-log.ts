/**
 * `Log` as lines on standard output: JSON in Cloud Logging's words, or short text for a person at a terminal.
 * The caller puts ids, numbers and codes into fields; prompts, answers and keys never get here.
 *
 * @see https://cloud.google.com/logging/docs/structured-logging
 */
import { createHash } from 'node:crypto';
import type { Log } from '../core/ports.ts';
import type { LogContext, SpanFacts } from '../core/tracing.ts';

export type LogFormat = 'json' | 'text';

export const LOG_LEVELS = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type StdoutLogOptions = {
  format: LogFormat;
  level: LogLevel;
  /** Whose traces they are. */
  projectId?: string | undefined;
  /** What each line belongs to. */
  context?: (() => LogContext | undefined) | undefined;
  /** What Error Reporting calls this program. */
  service?: { service: string; version?: string | undefined } | undefined;
};

type Fields = { [name: string]: string | number | boolean | undefined };

/** Whatever the level of other lines. */
const AUDIT = 'audit';
/** Of one name that is hidden; the same as `printf %s acme | sha256sum | cut -c1-12`. */
const HASH_DIGITS = 12;
const HASHES_KEPT = 1_000;

export function stdoutLog(
  { format, level, projectId, context = () => undefined, service = { service: 'llm-jobs' } }: StdoutLogOptions,
  write: (line: string) => void = (line) => process.stdout.write(line),
): Log {
  const least = LOG_LEVELS.indexOf(level);
  const hashOf = tenantHashes();
  return (severity, event, fields = {}) => {
    if (LOG_LEVELS.indexOf(severity) < least && event !== AUDIT) return;
    if (format === 'text') return write(toText(severity, event, fields));
    const around = context();
    const line: { [name: string]: unknown } = { severity: severity.toUpperCase(), message: event };
    line.time = new Date().toISOString();
    for (const facts of [factsFor(fields, around), fields])
      for (const name in facts) if (facts[name] !== undefined) line[name] = facts[name];
    // An auditor has to know whose it was; what is read for other reasons says only that two lines are of the same tenant.
    if (event !== AUDIT && typeof line.tenant === 'string') {
      line.tenant_hash = hashOf(line.tenant);
      delete line.tenant;
    }
    if (around) {
      if (projectId) line['logging.googleapis.com/trace'] = `projects/${projectId}/traces/${around.traceId}`;
      line['logging.googleapis.com/spanId'] = around.spanId;
      line['logging.googleapis.com/trace_sampled'] = around.isSampled;
    }
    if (severity === 'error') Object.assign(line, reported(event, line.stack ?? line.error, service));
    write(`${JSON.stringify(line)}\n`);
  };
}

/** What is known of the work around it, which may be for one job where the line is of another: then none of it is true of that. */
function factsFor({ job_id }: Fields, around: LogContext | undefined): SpanFacts {
  const { facts = {} } = around ?? {};
  const isOfAnother = job_id !== undefined && facts.job_id !== undefined && facts.job_id !== job_id;
  return isOfAnother ? {} : facts;
}

function toText(severity: string, event: string, fields: Fields): string {
  const time = new Date().toTimeString().slice(0, 8);
  // A name that holds a line break makes no line of its own.
  const words = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${String(value).replace(/\p{Cc}/gu, '�')}`);
  return `${[time, severity === 'info' ? ' ' : severity, event, ...words].join(' ')}\n`;
}

/** The first digits of the SHA-256 of each name. */
function tenantHashes(): (tenant: string) => string {
  const known = new Map<string, string>();
  return (tenant) => {
    const found = known.get(tenant) ?? createHash('sha256').update(tenant).digest('hex').slice(0, HASH_DIGITS);
    if (known.size >= HASHES_KEPT) known.clear();
    known.set(tenant, found);
    return found;
  };
}

const REPORTED = 'type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent';
/** Between the name of an error and each of its frames, as `framesOf` writes them. */
const FRAME = / (?=at )/;

/**
 * What makes Error Reporting count an error and group it by its frames. The event stands where others have the message, which
 * may hold anything.
 *
 * @see https://cloud.google.com/error-reporting/docs/formatting-error-messages
 */
function reported(event: string, stack: unknown, serviceContext: StdoutLogOptions['service']) {
  if (typeof stack !== 'string') return {};
  const [name, ...frames] = stack.split(FRAME);
  if (frames.length === 0) return {};
  const lines = [`${name}: ${event}`, ...frames.map((frame) => `    ${frame}`)];
  return { '@type': REPORTED, stack_trace: lines.join('\n'), serviceContext };
}
