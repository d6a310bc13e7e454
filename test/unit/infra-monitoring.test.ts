/** Metrics, alerts, the runbook and Terraform say the same, and each rule finds what it is there for. */
import { describe, expect, test } from 'vitest';
import * as rules from '../support/infra-monitoring.ts';
import { type Block, type Infra, inner, readInfra, resources } from '../support/infra-terraform.ts';

const { readMonitoring, ...every } = rules;
const everyRule = (monitoring: rules.Monitoring) => Object.values(every).flatMap((rule) => rule(monitoring));

test('metrics, alerts and the runbook keep every rule', () => {
  expect(everyRule(readMonitoring())).toEqual([]);
});

/** What cannot be missing in a test that breaks it. */
function own<T>(all: Record<string, T>, name: string): T {
  const found = all[name];
  if (!found) throw new Error(`no ${name}`);
  return found;
}

type Breaking = [finding: string, breaks: (monitoring: rules.Monitoring) => void];
const metric = (name: string, change: Partial<rules.Metric>) => (monitoring: rules.Monitoring) =>
  Object.assign(own(monitoring.metrics, name), change);
const alert = (name: string, change: Partial<rules.Alert>) => (monitoring: rules.Monitoring) =>
  Object.assign(own(monitoring.alerts, name), change);
const query = (name: string, from: string, to: string) => (monitoring: rules.Monitoring) => {
  const found = own(monitoring.alerts, name);
  expect(found.query).toContain(from);
  found.query = found.query.replaceAll(from, to);
};
const runbook = (from: string, to: string) => (monitoring: rules.Monitoring) => {
  expect(monitoring.runbook).toContain(from);
  monitoring.runbook = monitoring.runbook.replace(from, to);
};

test.each<Breaking>([
  ['leases_lost: nobody writes lease-gone', metric('leases_lost', { event: 'lease-gone' })],
  ['leases_lost: counts an event, or a severity', metric('leases_lost', { severity: 'ERROR' })],
  ['jobs_parked: job_id has many values', metric('jobs_parked', { labels: { job: 'job_id' } })],
  ['jobs_parked: its chart has no model', metric('jobs_parked', { chart_by: ['model'] })],
  ['queue_ms: its buckets end too early', metric('queue_ms', { buckets: { scale: 1, growth: 2, count: 10 } })],
  ['starts_refused: a list is no label', metric('starts_refused', { labels: { event: 'message' } })],
  ['cost: severity HIGH', alert('cost', { severity: 'HIGH' })],
  ['cost: no threshold', query('cost', '$THRESHOLD', '20')],
  ['cost: its time is not whole minutes', alert('cost', { for_s: 90 })],
  ['cost: no meaning, or nothing to do', alert('cost', { todo: '' })],
  ['cost: MAX_COST is no setting', alert('cost', { todo: 'Lower MAX_COST.' })],
  ['cost: no metric money_sum', query('cost', 'cost_usd', 'money')],
  ['cost: cost_usd is not how it is read', query('cost', 'cost_usd_sum', 'cost_usd')],
  [
    'zombie writes: zombie_writes_sum is not how it is read',
    query('zombie writes', 'zombie_writes', 'zombie_writes_sum'),
  ],
  ['provider limits: attempts_failed has no error', query('provider limits', 'code=', 'error=')],
  ['provider limits: no code limited', query('provider limits', '"rate_limited"', '"limited"')],
  ['job failures: no state broken', query('job failures', '"failed"', '"broken"')],
  ['dead letters: whose metric?', query('dead letters', 'monitored_resource="pubsub_subscription",', '')],
  ['cost: brackets', query('cost', 'sum(', 'sum')],
  ['cost: not in the runbook', runbook('| cost |', '| money |')],
  ['money: in the runbook alone', runbook('| cost |', '| money |')],
  ['the runbook looks for message job-failed', runbook('message="job-parked"', 'message="job-failed"')],
  ['the runbook looks for error_code auth', runbook('jsonPayload.code="auth"', 'jsonPayload.error_code="auth"')],
])('%s', (finding, breaks) => {
  const monitoring = readMonitoring();
  breaks(monitoring);
  expect(everyRule(monitoring)).toContain(finding);
});

const ref = (expression: string) => `\${${expression}}`;

/** What Terraform does not make of them as it should. */
function wrongBlocks(infra: Infra): string[] {
  const of = (type: string, name = 'this') => resources(infra, type)[name];
  const policy = of('google_monitoring_alert_policy');
  const prometheus = inner(inner(policy, 'conditions'), 'condition_prometheus_query_language');
  const measured = of('google_logging_metric');
  const descriptor = inner(measured, 'metric_descriptor');
  const health = of('google_monitoring_uptime_check_config', 'health');
  const exclusion = String(of('google_logging_project_exclusion', 'tokens')?.filter);
  const { metrics, alerts, alerts_made: made } = infra.terraform.locals;
  const wanted: [what: string, is: unknown, wanted: unknown][] = [
    ['metrics', [metrics, measured?.for_each], [fromFile('metrics'), ref('local.metrics')]],
    ['kind', descriptor.metric_kind, 'DELTA'],
    ['labels', Object.keys((descriptor.dynamic as Block) ?? {}), ['labels']],
    ['buckets', Object.keys((measured?.dynamic as Block) ?? {}), ['bucket_options']],
    ['whose lines', /cloud_run_revision.*\^\$\{var\.name\}-/.test(String(measured?.filter)), true],
    ['which lines', String(measured?.filter).includes('jsonPayload.message='), true],
    ['alerts', [alerts, policy?.for_each], [fromFile('alerts'), ref('local.alerts_made')]],
    ['all but uptime', /if var\.public \|\| !strcontains\(alert\.query, "\$CHECK"\)/.test(String(made)), true],
    ['query', prometheus.query, ref('local.alert_queries[each.key]')],
    ['before the first line', prometheus.disable_metric_validation, true],
    ['who is told', policy?.notification_channels, ref('local.alert_channels')],
    [
      'what to do',
      /each\.value\.meaning.*each\.value\.todo/s.test(String(inner(policy, 'documentation').content)),
      true,
    ],
    ['health', [inner(health, 'http_check').path, inner(health, 'http_check').validate_ssl], ['/health', true]],
    ['tokens', ['cloud_run_revision', 'http_load_balancer', 'access_token='].every((w) => exclusion.includes(w)), true],
    ['budget', of('google_billing_budget')?.count, ref('var.billing_account == null ? 0 : 1')],
    ['charts', String(of('google_monitoring_dashboard')?.dashboard_json).includes('keys(local.metrics)'), true],
  ];
  return wanted.filter(([, is, should]) => JSON.stringify(is) !== JSON.stringify(should)).map(([what]) => what);
}

function fromFile(name: string): string {
  return ref(`jsondecode(file("${ref('path.module')}/${name}.json"))`);
}

describe('Terraform', () => {
  test('makes all of it', async () => {
    expect(wrongBlocks(await readInfra())).toEqual([]);
  });

  test.each<[what: string, type: string, name: string, change: Block]>([
    ['metrics', 'google_logging_metric', 'this', { for_each: {} }],
    ['whose lines', 'google_logging_metric', 'this', { filter: 'jsonPayload.message="x"' }],
    ['alerts', 'google_monitoring_alert_policy', 'this', { for_each: {} }],
    ['who is told', 'google_monitoring_alert_policy', 'this', { notification_channels: [] }],
    ['what to do', 'google_monitoring_alert_policy', 'this', { documentation: [] }],
    ['query', 'google_monitoring_alert_policy', 'this', { conditions: [] }],
    ['health', 'google_monitoring_uptime_check_config', 'health', { http_check: [{ path: '/' }] }],
    ['tokens', 'google_logging_project_exclusion', 'tokens', { filter: 'severity>=ERROR' }],
    ['budget', 'google_billing_budget', 'this', { count: 0 }],
    ['charts', 'google_monitoring_dashboard', 'this', { dashboard_json: '{}' }],
  ])('without %s it is found', async (what, type, name, change) => {
    const infra = await readInfra();
    Object.assign(own(resources(infra, type), name), change);
    expect(wrongBlocks(infra)).toContain(what);
  });
});
