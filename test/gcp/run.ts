/**
 * `npm run test:gcp -- --project P [--database D] [--keep]`: the port suites on a real project: on a Firestore database
 * with the indexes of `infra/firestore.json`, and on topics, all made for the run and deleted after it. With `--url U` (key in
 * LLM_JOBS_KEY) the end-to-end suite on that deployment, too, and how long 200 jobs wait there. On the emulators where
 * FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST are set.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GoogleAuth } from 'google-auth-library';
import { askJson, projectIn, regionIn, run } from '../../infra/cloud-commands.ts';
import { answering, OperatorError, refuseOperands, StepError, wordsOf } from '../../infra/operating.ts';
import { centsOf } from './counted.ts';
import { startDoor } from './door.ts';
import { makeIndexes } from './indexes.ts';
import { allOthers, LEFT_OUT } from './left-out.ts';
import { timeToStart } from './time-to-start.ts';

const USAGE = 'Usage: npm run test:gcp -- --project P [--region us-central1] [--database D] [--keep] [--url U]';

type Wanted = { project: string; region: string; database: string; url: string | undefined };

/** On Google Cloud, or on both emulators. */
function isEmulated({ FIRESTORE_EMULATOR_HOST: store, PUBSUB_EMULATOR_HOST: queue }: NodeJS.ProcessEnv): boolean {
  if (Boolean(store) === Boolean(queue)) return Boolean(store);
  throw new OperatorError('Set both FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST, or neither.');
}

function said({ project, database, url }: Wanted, isOurs: boolean): string {
  return [
    `In ${project} this makes ${isOurs ? `a database, ${database}, with its indexes, and ` : ''}topics, and deletes them after: 3,000 writes, 7,200 reads and`,
    '1,000 deletes of documents, and some hundred messages: half a cent.',
    ...(isOurs ? ['The indexes may take ten minutes.'] : []),
    ...(url
      ? [
          `At ${url} it runs some 30 small jobs, then 200 of 30 s at once: 20 workers for 35 s are two cents, the rest less than one.`,
        ]
      : []),
  ].join('\n');
}

const auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' });

/** A request's credentials. Throws a sentence where there are none. */
async function headers(): Promise<Headers> {
  try {
    return await auth.getRequestHeaders();
  } catch (error) {
    throw new StepError(
      `There are no credentials (${(error as Error).message}): run gcloud auth application-default login.`,
    );
  }
}

/** Who moves messages to the dead letters, and has to be let in. */
async function pubsubAgent(project: string): Promise<string> {
  const { projectNumber } = await askJson<{ projectNumber: string }>('gcloud', [
    ...['projects', 'describe', project, '--format=json'],
  ]);
  return `service-${projectNumber}@gcp-sa-pubsub.iam.gserviceaccount.com`;
}

async function suites({ project, region, database, url }: Wanted, agent: Record<string, string>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-gcp-'));
  const counts = join(folder, 'counts.json');
  try {
    for (const { names, why } of url ? LEFT_OUT : []) {
      console.log(`Left out, as they need ${why}:\n${names.map((name) => `  ${name}`).join('\n')}`);
    }
    const words = ['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', 'gcp', '-t', allOthers()];
    const given = { GCP_PROJECT: project, GCP_DATABASE: database, GCP_COUNTS: counts, GCP_URL: url ?? '' };
    await run('npx', words, { ...given, ...agent });
    const counted = JSON.parse(readFileSync(counts, 'utf8'));
    const { writes, reads, deletes } = counted;
    const cents = centsOf(counted, region).toFixed(1);
    console.log(`Asked of Firestore: ${writes} writes, ${reads} reads, ${deletes} deletes: ${cents} cents at most.`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measured(url: string): Promise<void> {
  const door = await startDoor(url, process.env.LLM_JOBS_KEY || undefined);
  try {
    await timeToStart(door.url);
  } finally {
    await door.stop();
  }
}

await answering(USAGE, async (args) => {
  const names = ['project', 'region', 'database', 'url'] as const;
  const { options, given, operands } = wordsOf('test:gcp', names, args, ['keep'] as const);
  refuseOperands('test:gcp', operands);
  const [project, region] = [projectIn(options), regionIn(options)];
  const emulated = isEmulated(process.env);
  const isOurs = options.database === undefined && !emulated;
  const database = options.database ?? `llm-jobs-test-${crypto.randomUUID().slice(0, 8)}`;
  const wanted = { project, region, database, url: options.url?.replace(/\/$/, '') };
  console.log(said(wanted, isOurs));
  if (!emulated) await headers();
  const agent = emulated ? {} : { GCP_PUBSUB_AGENT: await pubsubAgent(project) };
  const of = [`--database=${database}`, `--project=${project}`, '--quiet'];
  // Whoever interrupts ends what runs below; what was made goes all the same.
  process.on('SIGINT', () => {});
  if (isOurs) await run('gcloud', ['firestore', 'databases', 'create', ...of, `--location=${region}`]);
  try {
    if (isOurs) await makeIndexes({ project, database, headers });
    await suites(wanted, agent);
    if (wanted.url) await measured(wanted.url);
  } finally {
    if (isOurs && !given.has('keep')) await run('gcloud', ['firestore', 'databases', 'delete', ...of]);
  }
});
