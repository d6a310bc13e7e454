/** What must hold of metrics and alerts; each rule answers what is wrong, in a line each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS } from '../../shared/config.ts';
import { JOB_STATES } from '../../shared/core/job.ts';
import { FAILURE_RULES } from '../../shared/core/retry.ts';

const ROOT = join(import.meta.dirname, '../..');

export type Metric = {
  description: string;
  /** Which lines it counts: those of an event, or those of a severity. */
  event?: string;
  severity?: string;
  /** The field whose values are measured; without it, lines are counted. */
  value?: string;
  unit?: string;
  buckets?: { scale: number; growth: number; count: number };
  /** Field by label. */
  labels: Record<string, string>;
  chart_by: string[];
};
export type Alert = {
  severity: string;
  query: string;
  threshold: number;
  unit: string;
  for_s: number;
  meaning: string;
  todo: string;
};
export type Monitoring = {
  metrics: Record<string, Metric>;
  alerts: Record<string, Alert>;
  runbook: string;
  /** The names of all lines that the code writes. */
  events: string[];
};
export type MonitoringRule = (monitoring: Monitoring) => string[];

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** Reads it anew: whoever asked may break it. */
export function readMonitoring(): Monitoring {
  const sources = ['shared', 'functions']
    .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true }).map((file) => join(folder, String(file))))
    .filter((file) => file.endsWith('.ts'))
    .map(read)
    .join('\n');
  return {
    metrics: JSON.parse(read('infra/metrics.json')),
    alerts: JSON.parse(read('infra/alerts.json')),
    runbook: read('infra/RUNBOOK.md'),
    events: [...sources.matchAll(/\b(?:log\(|const event =)[^;]*;/g)].flatMap(([call]) =>
      [...call.matchAll(/'([a-z]+(?:-[a-z]+)*)'/g)].map(([, event = '']) => event),
    ),
  };
}

/** Few values each, whoever calls: every other one is a series of its own, and is paid for. */
const LABELS = 'state code job_type provider model replayed cost_estimated route why type message'.split(' ');
/** What a job waits, lasts or costs at most must have a bucket. */
const MOST: Record<string, number> = { ms: 3_600_000, USD: 100, '1': 2_000_000 };

/** Each counts lines that are written, by few labels, with buckets up to what may come. */
export const metricsCount: MonitoringRule = ({ metrics, events }) =>
  Object.entries(metrics).flatMap(([name, { event, severity, value, unit, buckets, labels, chart_by: by }]) => {
    const wrong: string[] = [];
    // Its message is the whole list of what is wrong, not the name of an event.
    if (severity === 'CRITICAL' && labels.event) wrong.push('a list is no label');
    if ((event === undefined) === (severity === undefined)) wrong.push('counts an event, or a severity');
    if (event !== undefined && !events.includes(event)) wrong.push(`nobody writes ${event}`);
    wrong.push(
      ...Object.values(labels).flatMap((field) => (LABELS.includes(field) ? [] : [`${field} has many values`])),
    );
    wrong.push(...by.flatMap((label) => (labels[label] ? [] : [`its chart has no ${label}`])));
    if (value !== undefined) {
      const top = buckets ? buckets.scale * buckets.growth ** buckets.count : 0;
      if (!(top >= (MOST[unit ?? ''] ?? Infinity))) wrong.push('its buckets end too early');
    }
    return wrong.map((what) => `${name}: ${what}`);
  });

const SEVERITIES = ['CRITICAL', 'ERROR', 'WARNING'];

/** Each has a meaning, something to do, a threshold that can be set, and a time that its evaluation can keep. */
export const alertsSay: MonitoringRule = ({ alerts }) =>
  Object.entries(alerts).flatMap(([name, { severity, query, threshold, unit, for_s, meaning, todo }]) => {
    const settings = Object.values(SETTINGS).map(({ variable }) => variable as string);
    const wrong: string[] = [];
    if (!SEVERITIES.includes(severity)) wrong.push(`severity ${severity}`);
    if (!query.includes('$THRESHOLD') || !Number.isFinite(threshold) || !unit) wrong.push('no threshold');
    if (!Number.isInteger(for_s / 60)) wrong.push('its time is not whole minutes');
    if (!meaning?.endsWith('.') || !todo?.endsWith('.')) wrong.push('no meaning, or nothing to do');
    for (const [word] of todo.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)) {
      if (!settings.includes(word)) wrong.push(`${word} is no setting`);
    }
    return wrong.map((what) => `${name}: ${what}`);
  });

/** Each watches what there is: metrics in the form that PromQL has them in, by labels that they have, for codes that come. */
export const alertsWatch: MonitoringRule = ({ alerts, metrics }) =>
  Object.entries(alerts).flatMap(([name, { query }]) => {
    const wrong: string[] = [];
    for (const [, series = '', matchers = ''] of query.matchAll(/\$METRIC_(\w+)\{([^}]*)\}/g)) {
      const [metric, form] = metrics[series] ? [series, ''] : series.split(/_(?=(?:bucket|sum|count)$)/);
      const found = metrics[metric ?? ''];
      if (!found) wrong.push(`no metric ${series}`);
      else if (Boolean(form) !== Boolean(found.value)) wrong.push(`${series} is not how it is read`);
      for (const [, label = '', , values = ''] of matchers.matchAll(/(\w+)(!?=~?)"([^"]*)"/g)) {
        if (label === 'monitored_resource') continue;
        if (found && !found.labels[label]) wrong.push(`${series} has no ${label}`);
        const known = { state: [...JOB_STATES], code: Object.keys(FAILURE_RULES) }[label] as string[] | undefined;
        const unknown = known ? values.split('|').filter((value) => !known.includes(value)) : [];
        wrong.push(...unknown.map((value) => `no ${label} ${value}`));
      }
    }
    const selected = query.match(/\{/g)?.length ?? 0;
    if (selected === 0 || selected !== query.match(/monitored_resource="/g)?.length) wrong.push('whose metric?');
    if (query.split('(').length !== query.split(')').length) wrong.push('brackets');
    return wrong.map((what) => `${name}: ${what}`);
  });

/** The runbook has a row for each, and looks for lines and codes that there are. */
export const runbookHelps: MonitoringRule = ({ alerts, runbook, events }) => {
  const table = runbook.split('## Alerts')[1]?.split('\n## ')[0] ?? '';
  const rows = [...table.matchAll(/^\| ([\w ]+) \|/gm)].map(([, name = '']) => name).filter((name) => name !== 'alert');
  const named = [...runbook.matchAll(/jsonPayload\.(\w+)="([^"]+)"/g)];
  const known: Record<string, string[]> = {
    message: events,
    state: [...JOB_STATES],
    code: Object.keys(FAILURE_RULES),
  };
  return [
    ...Object.keys(alerts).flatMap((name) => (rows.includes(name) ? [] : [`${name}: not in the runbook`])),
    ...rows.flatMap((name) => (alerts[name] || name === 'budget' ? [] : [`${name}: in the runbook alone`])),
    ...named.flatMap(([, field = '', value = '']) =>
      known[field]?.includes(value) ? [] : [`the runbook looks for ${field} ${value}`],
    ),
  ];
};
