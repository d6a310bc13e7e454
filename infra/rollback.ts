/**
 * `npm run rollback -- --project P`: gives each function's traffic back to the revision before the one that serves; with
 * `--to F` to what a deployment noted in that file, so that what it left alone stays. The doors first: a new door may submit what an old worker does not know; the other way round it is all known.
 */
import { agreed, askJson, nameIn, projectIn, regionIn, run } from './cloud-commands.ts';
import { answering, OperatorError, printTable, refuseOperands, StepError, wordsOf } from './operating.ts';
import { ORDER, ours, readServing, type Service, type Serving, servingOf } from './serving.ts';

const USAGE =
  'Usage: npm run rollback -- --project P [--region us-central1] [--name llm-jobs] [--function worker] [--to F] [--yes] [--dry-run]';

/** As `gcloud run revisions list --format=json` has one. */
export type Revision = {
  metadata: { name: string; creationTimestamp: string };
  status?: { conditions?: { type: string; status: string }[] };
};

/** One function: from which revision to which; or why not. */
export type Step = { name: string; service: string; from?: string; to?: string; why?: string };

/** What serves, and the youngest ready revision that is older. */
export function stepOf(name: string, service: Service, revisions: readonly Revision[]): Step {
  const base = { name, service: service.metadata.name };
  const from = servingOf(service);
  if (typeof from === 'number') return { ...base, why: `its traffic is divided among ${from} revisions` };
  const current = revisions.find((revision) => revision.metadata.name === from);
  if (from === undefined || current === undefined)
    return { ...base, why: 'what serves is not in the list of revisions' };
  const createdMs = (revision: Revision) => Date.parse(revision.metadata.creationTimestamp);
  const [previous] = revisions
    .filter((revision) => createdMs(revision) < createdMs(current) && isReady(revision))
    .sort((one, other) => createdMs(other) - createdMs(one));
  if (previous === undefined) return { ...base, from, why: 'no ready revision is older' };
  return { ...base, from, to: previous.metadata.name };
}

/** From what serves to what was noted, where that is something else. */
export function stepTo(noted: Serving, name: string, service: Service): Step {
  const base = { name, service: service.metadata.name };
  const from = servingOf(service);
  const to = noted[service.metadata.name];
  const shown = typeof from === 'string' ? { from } : {};
  if (to === undefined) return { ...base, ...shown, why: 'none served it before' };
  return to === from ? { ...base, ...shown, why: 'it was left alone' } : { ...base, ...shown, to };
}

/** A revision that was replaced is retired, which its other conditions say; whether it can serve is in this one. */
function isReady({ status }: Revision): boolean {
  return (status?.conditions ?? []).some(({ type, status: said }) => type === 'Ready' && said === 'True');
}

/** The words for gcloud. */
export function commandOf({ service, to }: Step, where: readonly string[]): string[] {
  return ['run', 'services', 'update-traffic', service, `--to-revisions=${to}=100`, ...where, '--quiet'];
}

/** Does what these words ask for. Throws a sentence for people. */
export async function rollback(args: string[]): Promise<void> {
  const names = ['project', 'region', 'name', 'function', 'to'] as const;
  const { options, given, operands } = wordsOf('rollback', names, args, ['yes', 'dry-run'] as const);
  refuseOperands('rollback', operands);
  const [project, prefix] = [projectIn(options), nameIn(options)];
  const where = ['--project', project, '--region', regionIn(options)];
  const only = options.function;
  if (only !== undefined && !ORDER.includes(only as (typeof ORDER)[number])) {
    throw new OperatorError(`--function must be one of ${ORDER.join(', ')}.`);
  }
  const noted = options.to === undefined ? undefined : await readServing(options.to);
  const services = ours(
    await askJson<Service[]>('gcloud', ['run', 'services', 'list', ...where, '--format=json']),
    prefix,
  );
  const wanted = services.filter(({ name }) => only === undefined || name === only);
  if (wanted.length === 0) throw new StepError(`There is no function ${prefix}-${only ?? '…'} in ${where.join(' ')}.`);
  const steps: Step[] = [];
  for (const { name, service } of wanted) {
    if (noted !== undefined) {
      steps.push(stepTo(noted, name, service));
      continue;
    }
    const list = ['run', 'revisions', 'list', '--service', service.metadata.name, ...where, '--format=json'];
    steps.push(stepOf(name, service, await askJson<Revision[]>('gcloud', list)));
  }
  printTable(
    ['function', 'serves', 'goes back to'],
    steps.map(({ name, from = '-', to, why }) => [name, from, to ?? `- (${why})`]),
  );
  const possible = steps.filter(({ to }) => to !== undefined);
  if (possible.length === 0) throw new StepError('Nothing can go back.');
  if (given.has('dry-run')) return console.log('Nothing was changed.');
  if (!given.has('yes') && !(await agreed('Send their traffic back?'))) throw new StepError('Nothing was changed.');
  for (const step of possible) await run('gcloud', commandOf(step, where));
  console.log(AFTERWARDS);
}

const AFTERWARDS = `
Done. Terraform knows nothing of it: the next npm run deploy makes a new revision of what changed, to which all traffic goes
again. So revert the change, or mend it, before anybody deploys. Settings and the database's indexes are as they were.`;

if (process.argv[1] === import.meta.filename) await answering(USAGE, rollback);
