/**
 * `npm run capacity`: what so many jobs a day cost on Google Cloud, what they ask of Firestore and Pub/Sub, and which quota
 * they meet first. Asks nobody: the operations are those that the tests count, the prices a table.
 */
import {
  atRest,
  type Costs,
  costsOfMillion,
  monthly,
  operationsOf,
  type Service,
  total,
  type Workload,
} from './capacity-costs.ts';
import { quotasOf } from './capacity-quotas.ts';
import functions from './functions.json' with { type: 'json' };
import { OperatorError, printTable, refuseOperands, wordsOf } from './operating.ts';
import { FIRESTORE, PRICES_OF, type Region } from './prices.ts';

const USAGE = `Usage:
  npm run capacity -- --jobs-per-day 100000 --llm-seconds 60 [--polls 4] [--attempts 1] [--events 0] [--limited] [--cached]
    [--streamed [--text-seconds 10]] [--concurrency 50] [--instances 20] [--min-instances 0] [--vcpu 1] [--gib 2] [--peak 5]
    [--provider-per-minute 10000] [--document-kib 8] [--kept-days 31] [--region us-central1|nam5]
--polls: reads by clients, for each job. --events: how many of a job's states a webhook or the topic is told. --limited: under
MAX_RUNNING. --cached: with cache_ttl_seconds. --peak: how many times the average comes at once. --document-kib: with its indexes.`;

const OPTIONS = [
  ...(['jobs-per-day', 'llm-seconds', 'polls', 'attempts', 'events', 'text-seconds', 'concurrency'] as const),
  ...(['instances', 'min-instances', 'vcpu', 'gib', 'peak', 'provider-per-minute'] as const),
  ...(['document-kib', 'kept-days', 'region'] as const),
] as const;
type Name = (typeof OPTIONS)[number];
type Options = Partial<Record<Name, string>>;

/** As they are deployed, where nothing else is said. */
const WORKER = functions.worker;

/** What the table of costs compares. */
const CONCURRENCIES = [1, 10, 50, 80];
/** Of functions of the second generation. */
const CONCURRENCY_MOST = 1_000;

export type Question = { load: Workload; service: Service; peak: number; requestsPerMinute: number };

/** What these words ask. Throws a sentence for people, which names the option. */
export function questionOf(args: string[]): Question {
  const { options, given, operands } = wordsOf('capacity', OPTIONS, args, ['streamed', 'limited', 'cached'] as const);
  refuseOperands('capacity', operands);
  const read = (name: Name, least: number, most: number, usual?: number) => numberIn(options, name, least, most, usual);
  const jobsPerDay = read('jobs-per-day', 1, 1e9);
  const isStreamed = given.has('streamed');
  if (!isStreamed && options['text-seconds'] !== undefined) {
    throw new OperatorError('--text-seconds is of streamed jobs: it goes with --streamed.');
  }
  const llmSeconds = read('llm-seconds', 0, 604_800);
  const textSeconds = isStreamed ? read('text-seconds', 0, 604_800, Math.min(10, llmSeconds)) : 0;
  if (textSeconds > llmSeconds) throw new OperatorError('--text-seconds must not be more than --llm-seconds.');
  const load: Workload = {
    ...{ jobsPerDay, llmSeconds, textSeconds },
    polls: read('polls', 0, 10_000, 4),
    events: whole(options, 'events', 0, 4, 0),
    attempts: read('attempts', 1, 100, 1),
    ...{ isLimited: given.has('limited'), isCached: given.has('cached'), region: regionIn(options) },
    documentKib: read('document-kib', 1, 1_024, 8),
    keptDays: read('kept-days', 1, 3_650, 31),
  };
  const service: Service = {
    concurrency: whole(options, 'concurrency', 1, CONCURRENCY_MOST, WORKER.concurrency),
    instancesLeast: whole(options, 'min-instances', 0, 1_000, 0),
    instancesMost: whole(options, 'instances', 1, 100_000, WORKER.max_instances),
    vcpu: read('vcpu', 0.08, 8, Number(WORKER.cpu)),
    gib: read('gib', 0.125, 32, gibOf(WORKER.memory)),
  };
  // Cloud Run gives a part of a CPU to one request at a time.
  if (service.vcpu < 1 && service.concurrency > 1) {
    throw new OperatorError(
      '--vcpu must be 1 at least, or --concurrency 1: less than a CPU serves one request at a time.',
    );
  }
  const requestsPerMinute = read('provider-per-minute', 1, 1e9, 10_000);
  return { load, service, peak: read('peak', 1, 10_000, 5), requestsPerMinute };
}

function numberIn(options: Options, name: Name, least: number, most: number, usual?: number): number {
  const text = options[name];
  if (text === undefined && usual !== undefined) return usual;
  if (text === undefined) throw new OperatorError(`--${name} is missing.`);
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new OperatorError(`--${name} must be a number from ${least} to ${most}; it is '${text}'.`);
}

function whole(options: Options, name: Name, least: number, most: number, usual: number): number {
  const value = numberIn(options, name, least, most, usual);
  if (Number.isInteger(value)) return value;
  throw new OperatorError(`--${name} must be a whole number from ${least} to ${most}; it is '${options[name]}'.`);
}

function regionIn({ region = 'us-central1' }: Options): Region {
  if (Object.hasOwn(FIRESTORE, region)) return region as Region;
  throw new OperatorError(`--region must be one of: ${Object.keys(FIRESTORE).join(', ')}; it is '${region}'.`);
}

/** Of `512Mi` or `2Gi`. */
function gibOf(memory: string): number {
  return Number.parseInt(memory, 10) / (memory.endsWith('Mi') ? 1_024 : 1);
}

const usd = (amount: number) => `$${amount.toFixed(2)}`;
const COST_NAMES: Record<keyof Costs, string> = {
  firestore: 'Firestore, operations',
  storage: 'Firestore, storage',
  pubsub: 'Pub/Sub',
  run: "Cloud Run, the workers' time",
  requests: 'Cloud Run, requests',
};

function show({ load, service, peak, requestsPerMinute }: Question): void {
  const { writes, reads, queries, deletes, messages, requests } = operationsOf(load);
  console.log('One job');
  printTable(
    ['writes', 'reads', 'deletes', 'messages', 'requests'],
    [[writes, reads + queries, deletes, messages, requests].map(String)],
  );
  const all = [...new Set([...CONCURRENCIES, service.concurrency])].sort((left, right) => left - right);
  const columns = all.map((concurrency) => costsOfMillion(load, { ...service, concurrency }));
  const names = Object.keys(COST_NAMES) as (keyof Costs)[];
  console.log(
    `\nA million jobs, by how many a worker instance runs at once (${load.region}; list prices of ${PRICES_OF})`,
  );
  printTable(
    ['', ...all.map(String)],
    [
      ...names.map((name) => [COST_NAMES[name], ...columns.map((costs) => usd(costs[name]))]),
      ['together', ...columns.map((costs) => usd(total(costs)))],
    ],
  );
  console.log(`\nA month (30 days, ${service.concurrency} at once), less what is free of one project and database`);
  printTable(
    ['', ''],
    [
      ['with these jobs', usd(monthly(load, service))],
      [
        `with none (${service.instancesLeast} instance(s) kept, a sweep each minute)`,
        usd(atRest(service, load.region)),
      ],
    ],
  );
  console.log(`\nAt the peak (${peak} times the average), the nearest to its limit first`);
  printTable(
    ['', 'used', 'of', '', 'what to raise'],
    quotasOf(load, service, { requestsPerMinute }, peak).map(({ what, used, most, share, raise }) => [
      ...[what, used.toFixed(1), String(most), `${(100 * share).toFixed(1)} %`, raise],
    ]),
  );
  console.log(
    '\nNot in it: the provider, network, logs beyond 50 GiB, backups, and the little time of functions beside the worker.',
  );
}

if (process.argv[1] === import.meta.filename) {
  try {
    show(questionOf(process.argv.slice(2)));
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    process.exitCode = 1;
  }
}
