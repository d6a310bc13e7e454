/** Terraform as the deploy program drives it: its state in a bucket, a plan that is looked at, and what it made. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ask, askJson, lastLine, run } from './cloud-commands.ts';
import { StepError } from './operating.ts';

/** Where the `.tf` files are, and what a deployment leaves for its later steps; tests put other places here. */
export type Place = { folder: string; planFile: string; servingFile: string };
export type Deployment = { project: string; region: string | undefined; name: string; varFile: string | undefined };

/** What a plan would do, in Terraform's JSON. */
export type Plan = { resource_changes?: { address: string; type: string; change: { actions: string[] } }[] };

const OLDEST = [1, 9] as const;
/** Whoever plans to delete one of these plans to lose what is in it; what was published and not taken in yet is nowhere else. */
const HOLDS_DATA = [
  ...['google_firestore_database', 'google_secret_manager_secret', 'google_kms_crypto_key'],
  ...['google_pubsub_topic', 'google_pubsub_subscription'],
];

/** Throws a sentence where Terraform is missing or too old. */
export async function checkTerraform(): Promise<void> {
  const { terraform_version: version = '' } = await askJson<{ terraform_version?: string }>('terraform', [
    ...['version', '-json'],
  ]);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new StepError(`terraform is ${version}: take ${OLDEST.join('.')} or newer.`);
}

/** The bucket of the state, made where it is missing: private, with all its versions. */
export async function stateBucket({ project, region = 'us-central1' }: Deployment): Promise<string> {
  const bucket = `${project}-llm-jobs-terraform`;
  const of = ['--project', project, '--format=json'];
  const { code, stderr } = await ask('gcloud', ['storage', 'buckets', 'describe', `gs://${bucket}`, ...of]);
  if (code === 0) return bucket;
  if (!/not found|404/i.test(stderr)) throw new StepError(`gs://${bucket} cannot be read: ${lastLine(stderr)}`);
  const closed = ['--uniform-bucket-level-access', '--public-access-prevention'];
  await run('gcloud', [
    ...['storage', 'buckets', 'create', `gs://${bucket}`, '--project', project, '--location', region, ...closed],
  ]);
  await run('gcloud', ['storage', 'buckets', 'update', `gs://${bucket}`, '--versioning', '--project', project]);
  return bucket;
}

/** Makes the folder ready to plan. The module itself names no backend: whoever uses it as a module has their own. */
export async function init({ folder }: Place, deployment: Deployment, bucket: string): Promise<void> {
  await writeFile(join(folder, 'backend_override.tf'), 'terraform {\n  backend "gcs" {}\n}\n');
  const state = [`-backend-config=bucket=${bucket}`, `-backend-config=prefix=${deployment.name}`];
  const args = [`-chdir=${folder}`, 'init', '-input=false', '-reconfigure', ...state];
  await run('terraform', args, environmentOf(deployment));
}

/** Plans, and answers what would be done. */
export async function plan(place: Place, deployment: Deployment): Promise<Plan> {
  const { folder, planFile } = place;
  const { project, region, name, varFile } = deployment;
  await mkdir(dirname(planFile), { recursive: true });
  const variables = [`-var=project=${project}`, `-var=name=${name}`];
  if (region !== undefined) variables.push(`-var=region=${region}`);
  // Words count more than the file.
  const given = varFile === undefined ? variables : [`-var-file=${varFile}`, ...variables];
  const args = [`-chdir=${folder}`, 'plan', '-input=false', `-out=${planFile}`, ...given];
  await run('terraform', args, environmentOf(deployment));
  return shown(place);
}

/** What a plan that was made before would do. */
export function shown({ folder, planFile }: Place): Promise<Plan> {
  return askJson<Plan>('terraform', [`-chdir=${folder}`, 'show', '-json', planFile]);
}

export async function apply({ folder, planFile }: Place, deployment: Deployment): Promise<void> {
  await run('terraform', [`-chdir=${folder}`, 'apply', '-input=false', planFile], environmentOf(deployment));
}

/** What was made, by the names of `outputs.tf`. */
export async function outputs({ folder }: Place): Promise<Record<string, unknown>> {
  const answer = await askJson<Record<string, { value: unknown }>>('terraform', [
    `-chdir=${folder}`,
    'output',
    '-json',
  ]);
  return Object.fromEntries(Object.entries(answer).map(([name, { value }]) => [name, value]));
}

export type Summary = { counts: { create: number; change: number; replace: number; destroy: number }; lost: string[] };

/** How much of what a plan would do, and what would be lost with it. */
export function summaryOf({ resource_changes: changes = [] }: Plan): Summary {
  const counts = { create: 0, change: 0, replace: 0, destroy: 0 };
  const lost: string[] = [];
  for (const { address, type, change } of changes) {
    const [creates, deletes] = [change.actions.includes('create'), change.actions.includes('delete')];
    if (creates && deletes) counts.replace += 1;
    else if (creates) counts.create += 1;
    else if (deletes) counts.destroy += 1;
    else if (change.actions.includes('update')) counts.change += 1;
    if (deletes && HOLDS_DATA.includes(type)) lost.push(address);
  }
  return { counts, lost };
}

/** Calls are billed and counted where the resources are, also with a person's own credentials. */
function environmentOf({ project }: Deployment): Record<string, string> {
  return {
    GOOGLE_PROJECT: project,
    GOOGLE_BILLING_PROJECT: project,
    USER_PROJECT_OVERRIDE: 'true',
    TF_IN_AUTOMATION: '1',
  };
}
