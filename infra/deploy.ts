/**
 * `npm run deploy -- --project P`: from a project to a running service, and from there to its next version. Bundles the
 * functions, plans, shows, asks, applies, and tries what it deployed. Cloud Build does it in three steps: `--plan-only`,
 * `--apply-only`, `--smoke-only`.
 */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { agreed, ask, nameIn, projectIn, regionIn, run } from './cloud-commands.ts';
import { afterwards, type Made, toMade } from './deployed.ts';
import { answering, OperatorError, refuseOperands, StepError, wordsOf } from './operating.ts';
import { noteServing } from './serving.ts';
import { smokeDeployed } from './smoke-deployed.ts';
import {
  apply,
  checkTerraform,
  type Deployment,
  init,
  outputs,
  type Place,
  plan,
  type Summary,
  shown,
  stateBucket,
  summaryOf,
} from './terraform.ts';

const USAGE = `Usage:
  npm run deploy -- --project P [--region us-central1] [--name llm-jobs] [--var-file F] [--yes] [--plan-only|--apply-only|--smoke-only]
Variables are in infra/terraform.tfvars, if there is one, or in the --var-file. --apply-only does what --plan-only planned.`;

const PHASES = ['plan', 'apply', 'smoke'] as const;
type Phase = (typeof PHASES)[number];

/** Terraform's own, which all else needs: an empty project has not even these. */
const FIRST_APIS = ['serviceusage.googleapis.com', 'cloudresourcemanager.googleapis.com'];

/** What these words ask for. Throws a sentence for people, before anything is done. */
export function wantedBy(args: string[]): { deployment: Deployment; only: Phase | undefined; isAgreed: boolean } {
  const flags = ['yes', ...PHASES.map((phase) => `${phase}-only` as const)] as const;
  const names = ['project', 'region', 'name', 'var-file'] as const;
  const { options, given, operands } = wordsOf('deploy', names, args, flags);
  refuseOperands('deploy', operands);
  const [only, second] = PHASES.filter((phase) => given.has(`${phase}-only`));
  if (second) throw new OperatorError(`--${only}-only and --${second}-only cannot both be: say one, or none.`);
  const varFile = options['var-file'] === undefined ? undefined : resolve(options['var-file']);
  if (varFile !== undefined && !existsSync(varFile))
    throw new OperatorError(`--var-file: there is no file ${varFile}.`);
  const region = options.region === undefined ? undefined : regionIn(options);
  const deployment = { project: projectIn(options), region, name: nameIn(options), varFile };
  return { deployment, only, isAgreed: given.has('yes') };
}

/** Does it, or as much of it as is wanted; each step is done only where the one before it succeeded. */
export async function deploy(args: string[], place: Place): Promise<void> {
  const { deployment, only, isAgreed } = wantedBy(args);
  const { project } = deployment;
  const isWanted = (phase: Phase) => only === undefined || only === phase;
  await checkTools(project);
  let summary: Summary | undefined;
  if (isWanted('plan')) {
    await run('npm', ['run', 'build']);
    await run('gcloud', ['services', 'enable', ...FIRST_APIS, '--project', project]);
    await init(place, deployment, await stateBucket(deployment));
    summary = summaryOf(await plan(place, deployment));
    report(summary);
  }
  if (isWanted('apply')) {
    if (!existsSync(place.planFile)) throw new StepError('There is no plan: deploy with --plan-only first.');
    summary ??= summaryOf(await shown(place));
    await permitted(summary, isAgreed);
    await noteServing(deployment, place.servingFile);
    await apply(place, deployment);
  }
  if (only === 'plan') return;
  const made = toMade(await outputs(place), deployment);
  if (isWanted('smoke')) await tried(made, deployment, place);
  console.log(afterwards(made));
}

/** Every tool that is missing, and what credentials are, in a sentence each. */
async function checkTools(project: string): Promise<void> {
  await checkTerraform();
  const described = await ask('gcloud', ['projects', 'describe', project, '--format=json']);
  if (described.code !== 0) {
    const why = /credential|login|auth/i.test(described.stderr)
      ? 'gcloud has no credentials: run gcloud auth login.'
      : `The project ${project} is not there, or its people have not let you in.`;
    throw new StepError(why);
  }
  const credentials = await ask('gcloud', ['auth', 'application-default', 'print-access-token', '--quiet']);
  if (credentials.code === 0) return;
  throw new StepError('Terraform has no credentials: run gcloud auth application-default login.');
}

function report({ counts, lost }: Summary): void {
  const { create, change, replace, destroy } = counts;
  console.log(`\nThe plan: ${create} to create, ${change} to change, ${replace} to replace, ${destroy} to destroy.`);
  if (lost.length > 0) console.log(`What they hold would be lost: ${lost.join(', ')}.`);
}

/** With --yes nobody has read the plan: it may then lose nothing. */
async function permitted({ counts, lost }: Summary, isAgreed: boolean): Promise<void> {
  if (Object.values(counts).every((count) => count === 0)) return;
  if (isAgreed && lost.length === 0) return;
  if (isAgreed)
    throw new StepError(`--yes does not delete ${lost.join(', ')}: look at the plan, and deploy without it.`);
  if (!(await agreed('Apply it?'))) throw new StepError('Nothing was applied.');
}

async function tried(made: Made, deployment: Deployment, { servingFile }: Place): Promise<void> {
  console.log(`\nTrying ${made.url}`);
  try {
    await smokeDeployed(made);
  } catch (error) {
    if (existsSync(servingFile)) console.error(`What was changed goes back with: ${backWith(deployment, servingFile)}`);
    throw error;
  }
}

function backWith({ project, region, name }: Deployment, servingFile: string): string {
  const where = ['--project', project, ...(region === undefined ? [] : ['--region', region]), '--name', name];
  return ['npm run rollback --', ...where, '--to', relative('.', servingFile)].join(' ');
}

if (process.argv[1] === import.meta.filename) {
  const folder = import.meta.dirname;
  const left = join(folder, '..', '.build');
  const place = { folder, planFile: join(left, 'deploy.tfplan'), servingFile: join(left, 'serving.json') };
  await answering(USAGE, (args) => deploy(args, place));
}
