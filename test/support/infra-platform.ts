/** What Google Cloud itself wants: rules that a deployment would find out late, or after it. */
import type { InfraRule } from './infra-rules.ts';
import { inner, resources } from './infra-terraform.ts';

/** The API that a resource is made through; what needs none of ours is left out. */
const API_OF: [RegExp, string][] = [
  [/^google_cloudfunctions2_/, 'cloudfunctions'],
  [/^google_cloud_run_/, 'run'],
  [/^google_cloud_scheduler_/, 'cloudscheduler'],
  [/^google_compute_/, 'compute'],
  [/^google_firestore_/, 'firestore'],
  [/^google_(logging|log)_/, 'logging'],
  [/^google_monitoring_/, 'monitoring'],
  [/^google_pubsub_/, 'pubsub'],
  [/^google_secret_manager_/, 'secretmanager'],
  [/^google_service_account/, 'iam'],
  [/^google_storage_/, 'storage'],
];

/** Functions are built and kept by these. */
const ALWAYS = ['artifactregistry', 'cloudbuild'];

/** An empty project has none of them. */
export const apisOn: InfraRule = (infra) => {
  const on = JSON.stringify(resources(infra, 'google_project_service').this?.for_each ?? '');
  const used = Object.keys(infra.terraform.resource).flatMap((type) =>
    API_OF.filter(([pattern]) => pattern.test(type)).map(([, api]) => api),
  );
  return [...new Set([...used, ...ALWAYS])]
    .filter((api) => !on.includes(`${api}.googleapis.com`))
    .map((api) => `${api}.googleapis.com is not enabled`);
};

/** The most that Cloud Run allows, and the least that many requests at once want of it. */
export const cloudRunLimits: InfraRule = ({ functions }) =>
  Object.entries(functions).flatMap(([name, { concurrency, timeout, cpu, memory }]) => [
    ...(concurrency <= 1_000 ? [] : [`${name}: ${concurrency} at once is more than Cloud Run allows`]),
    ...(timeout <= 3_600 ? [] : [`${name}: ${timeout} s is longer than Cloud Run allows`]),
    ...(concurrency === 1 || Number(cpu) >= 1 ? [] : [`${name}: ${cpu} CPU serves one request at a time`]),
    ...(mebibytes(memory) >= 512 ? [] : [`${name}: ${memory} is less than Cloud Run's second generation wants`]),
  ]);

function mebibytes(memory: string): number {
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(memory) ?? [];
  return Number(count) * (unit === 'Gi' ? 1_024 : 1);
}

/** Their clocks and their counts have to agree. Who only serves files has none. */
export const sameForAll: InfraRule = ({ environment, functions }) => {
  const counting = Object.keys(functions).filter((name) => name !== 'console');
  return Object.entries(environment).flatMap(([name, { functions: given = [], why = '' }]) =>
    why.startsWith('the same for all')
      ? counting.flatMap((one) => (given.includes(one) ? [] : [`${name} must be given to ${one}, too`]))
      : [],
  );
};

/** Refused twenty times in a row, with a growing pause: hours of an outage, not minutes. */
export const patience: InfraRule = (infra) =>
  Object.entries(resources(infra, 'google_pubsub_subscription')).flatMap(([name, block]) => {
    const { minimum_backoff: least, maximum_backoff: most } = inner(block, 'retry_policy');
    return least === '10s' && most === '600s' ? [] : [`${name}: comes again after ${least} to ${most}`];
  });
