/**
 * `npm run bench -- --only emulators`: jobs on the emulators through our functions, and the same jobs through functions of
 * bare client calls, in rounds that take turns.
 */
import { bundleAll } from '../../infra/bundle.ts';
import { startEmulator } from '../../infra/emulator-processes.ts';
import { countField, startGrpcProxy } from '../support/grpc-proxy.ts';
import { bundleFloor } from './floor/bundle.ts';
import { type Hosts, MEASURED_FUNCTIONS, type Round, SIDES, type SideName, startSide } from './floor/side.ts';
import { type Bench, bench, rounded } from './support/bench.ts';
import { emulatorsHere } from './support/emulators-here.ts';
import { startRole } from './support/role.ts';
import { median, quantile, spread } from './support/statistics.ts';

const CONCURRENCY = 32;

/** Every figure of a round that has a ratio. */
type Measure = { name: string; of: (round: Round) => number; limit?: { atMost: number } | { atLeast: number } };

const LATENCIES: readonly Measure[] = [
  { name: 'jobs per second', of: (round) => round.jobsPerSecond, limit: { atLeast: 0.85 } },
  { name: 'submit, p50, ms', of: ({ submitMs }) => quantile(submitMs, 0.5) },
  { name: 'submit, p99, ms', of: ({ submitMs }) => quantile(submitMs, 0.99), limit: { atMost: 1.3 } },
  { name: 'submit to done, p50, ms', of: ({ doneMs }) => quantile(doneMs, 0.5) },
  { name: 'submit to done, p99, ms', of: ({ doneMs }) => quantile(doneMs, 0.99) },
];
const cpuOf = ({ cpuMs }: Round, functions = MEASURED_FUNCTIONS) =>
  functions.reduce((sum, one) => sum + (cpuMs?.[one] ?? Number.NaN), 0);
const CPU: Measure = { name: 'processor time per job, ms', of: (round) => cpuOf(round), limit: { atMost: 1.3 } };

type Rounds = Record<SideName, Round[]>;

function compared(rounds: Rounds, of: (round: Round) => number) {
  const [floor, ours] = SIDES.map((side) => rounds[side].map(of));
  return { floor: spread(floor ?? []), ours: spread(ours ?? []), 'ours : floor': spread(ratiosOf(rounds, of)) };
}

/** Of each round, which both sides had in turn. */
function ratiosOf({ ours, floor }: Rounds, of: (round: Round) => number): number[] {
  return ours.map((round, n) => of(round) / of(floor[n] ?? round));
}

/** What each side asks of Firestore and Pub/Sub for one job, counted on the wire. */
async function operations(hosts: Hosts, environment: Record<string, string>) {
  const [firestore, pubsub] = await Promise.all([startGrpcProxy(hosts.firestore), startGrpcProxy(hosts.pubsub)]);
  const through = { ...hosts, functionsFirestore: firestore.host, functionsPubsub: pubsub.host };
  const jobs = 20;
  const rows: Record<string, Record<string, number>> = {};
  for (const name of SIDES) {
    const side = await startSide(name, through, environment);
    // What it asks once is asked then.
    await side.run({ jobs: 2, concurrency: 1 });
    for (const { calls } of [firestore, pubsub]) calls.length = 0;
    await side.run({ jobs, concurrency: 1 });
    const perJob = (calls: typeof firestore.calls, method: string, of: (message: Buffer) => number) =>
      rounded(calls.filter((call) => call.method === method).reduce((sum, { message }) => sum + of(message), 0) / jobs);
    // `writes`, `documents` and `messages`: field 2 of each request.
    const many = (message: Buffer) => countField(message, 2);
    rows[name] = {
      writes: perJob(firestore.calls, 'Commit', many),
      reads: perJob(firestore.calls, 'BatchGetDocuments', many) + perJob(firestore.calls, 'GetDocument', () => 1),
      messages: perJob(pubsub.calls, 'Publish', many),
      'all calls': rounded((firestore.calls.length + pubsub.calls.length) / jobs),
    };
    await side.stop();
  }
  await Promise.all([firestore.close(), pubsub.close()]);
  return rows;
}

async function measure(hosts: Hosts, environment: Record<string, string>, { sized, say }: Bench): Promise<Rounds> {
  const jobs = sized(500, 60);
  const sides = {
    floor: await startSide('floor', hosts, environment),
    ours: await startSide('ours', hosts, environment),
  };
  // Node compiles what is called often: before a thousand jobs ours, which is more code, took a third longer.
  for (const side of SIDES) {
    say(`warming up: ${side}`);
    await sides[side].run({ jobs: sized(1_500, 40), concurrency: CONCURRENCY });
  }
  const rounds: Rounds = { floor: [], ours: [] };
  const count = sized(7, 2);
  for (let n = 0; n < count; n++) {
    say(`round ${n + 1} of ${count}`);
    // Who goes first takes turns, too.
    for (const side of n % 2 === 0 ? SIDES : SIDES.toReversed())
      rounds[side].push(await sides[side].run({ jobs, concurrency: CONCURRENCY }));
  }
  await Promise.all(SIDES.map((side) => sides[side].stop()));
  return rounds;
}

function tell(rounds: Rounds, { table, plot, verdict, leaveOut }: Bench): void {
  const isCpuKnown = rounds.ours.every(({ cpuMs }) => cpuMs !== undefined);
  const measures = isCpuKnown ? [...LATENCIES, CPU] : LATENCIES;
  table(
    `${CONCURRENCY} jobs under way, ${rounds.ours.length} rounds of ${rounds.ours[0]?.submitMs.length} jobs each`,
    Object.fromEntries(measures.map(({ name, of }) => [name, compared(rounds, of)])),
  );
  for (const { name, of, limit } of measures) {
    if (limit) verdict({ what: name, value: median(ratiosOf(rounds, of)), unit: '× the floor', ...limit });
  }
  const latencies = { submit: (round: Round) => round.submitMs, 'submit to done': (round: Round) => round.doneMs };
  plot({
    title: 'Time of a job: this share of them took at most so long',
    kind: 'lines',
    x: { label: 'share of the jobs, %' },
    y: { label: 'ms' },
    points: SIDES.flatMap((side) =>
      Object.entries(latencies).flatMap(([what, of]) =>
        SHARES.map((share) => ({
          x: share * 100,
          y: rounded(quantile(rounds[side].flatMap(of), share)),
          series: `${side}: ${what}`,
        })),
      ),
    ),
  });
  if (!isCpuKnown) {
    leaveOut('processor time', 'only Linux tells it, in /proc');
    return;
  }
  table(
    'Processor time per job by process, ms',
    Object.fromEntries(MEASURED_FUNCTIONS.map((one) => [one, compared(rounds, (round) => cpuOf(round, [one]))])),
  );
  plot({
    title: 'Processor time per job by process',
    kind: 'bars',
    x: { label: 'process' },
    y: { label: 'ms' },
    points: SIDES.flatMap((side) =>
      MEASURED_FUNCTIONS.map((one) => ({
        x: one,
        y: rounded(median(rounds[side].map((round) => cpuOf(round, [one])))),
        series: side,
      })),
    ),
  });
}
const SHARES = [0.01, 0.05, ...Array.from({ length: 9 }, (_, n) => (n + 1) / 10), 0.95, 0.98, 0.99, 0.995];

await bench(
  {
    name: 'emulators',
    title: 'On the emulators, beside the bare floor',
    about:
      "The same jobs on the same emulators, in rounds that take turns: through our functions `submit`, `worker` and `status` as they are deployed, and through three functions that make the bare calls for it and nothing else: create a document, publish a message; read, update on a condition, call OpenAI's SDK and collect its stream, update on a condition; read. Both are bundled the same way and served by functions-framework with the same flags, use Firestore's and Pub/Sub's low-level clients with the same channels and call options (ours reads through the client's own stub), one load and one push driver, and a provider that answers at once. Ours logs as it does by default; the floor logs nothing. A job is asked for, waited for until its worker acknowledged its message, and read once. Processor time is that of the three processes of each side.",
  },
  async (each) => {
    const commands = emulatorsHere(each.leaveOut);
    if (!commands) return;
    each.say('starting the emulators, bundling the functions');
    const [firestore, pubsub, provider] = await Promise.all([
      startEmulator(commands, 'firestore'),
      startEmulator(commands, 'pubsub'),
      startRole('provider'),
      bundleAll(),
      bundleFloor(),
    ]);
    const hosts = { firestore: firestore.host, pubsub: pubsub.host };
    const environment = await provider.ask<Record<string, string>>('environment');
    if (!each.isShort) {
      each.say('counting operations');
      each.table('Operations per job, counted on the wire', await operations(hosts, environment));
    }
    tell(await measure(hosts, environment, each), each);
    await provider.stop();
    await Promise.all([firestore.stop(), pubsub.stop()]);
  },
);
