/**
 * `npm run bench -- --only operations`: what a job costs by the way that it goes: documents, queries and messages that are
 * counted on the wire to the emulators, and what Google asks for a million of them.
 */
import { costsOfOperations } from '../../infra/capacity-costs.ts';
import { startEmulator } from '../../infra/emulator-processes.ts';
import { PRICES_OF, type Region } from '../../infra/prices.ts';
import { idleSweeps, type JobPath, jobPaths, readsOf, type Walked, walked } from '../support/job-paths.ts';
import { bench, type Cell, type Rows, rounded } from './support/bench.ts';
import { emulatorsHere } from './support/emulators-here.ts';

const REGIONS: readonly Region[] = ['us-central1', 'nam5'];
/** Where time says nothing, so many are walked side by side. */
const AT_ONCE = 4;

/** What one job, or one sweep, costs of a million. */
function dollarsOf(one: Walked, region: Region): number {
  const { operations, deletes, kept, requests } = one;
  const counted = { ...operations, reads: readsOf(one), queries: 0, deletes: deletes + kept, requests };
  const { firestore, pubsub, requests: asked } = costsOfOperations(counted, region);
  return (firestore + pubsub + asked) / Math.max(1, one.jobs);
}

function rowOf(one: Walked): Record<string, Cell> {
  const { operations, queryReads, told, deletes, kept, requests, jobs, tookMs } = one;
  const per = (count: number) => rounded(count / Math.max(1, jobs));
  const dollars = REGIONS.map((region) => [`$ per million, ${region}`, rounded(dollarsOf(one, region))]);
  return {
    writes: per(operations.writes),
    reads: per(operations.reads),
    queries: per(operations.queries),
    'reads of queries': per(queryReads),
    'told to listeners': per(told),
    deletes: per(deletes + kept),
    messages: per(operations.messages),
    requests: per(requests),
    'seconds, all together': rounded(tookMs / 1_000),
    ...Object.fromEntries(dollars),
  };
}

await bench(
  {
    name: 'operations',
    title: 'What a job costs',
    about: `Each way that a job can go is walked on the emulators, through proxies that count what is asked of Firestore and Pub/Sub, per job. Reads are documents that are asked for, that queries find (at least one each) and that listeners are told of; the emulator tells a listener all that it knew again with each change, which Google does neither do nor bill, and is not counted. A document that is kept is deleted in the end by its time to live. Dollars: list prices of ${PRICES_OF}, of Firestore's operations, of Pub/Sub (two times 1 KiB per message) and of requests to functions, without what is free, what is stored, and processors and memory.`,
  },
  async (bench) => {
    const paths = jobPaths(bench.sized(2, 0.5), bench.sized([100, 250, 1_000], [250]));
    const sweeps = idleSweeps(bench.sized([0, 1_000, 10_000], [0, 10]));
    const commands = emulatorsHere(bench.leaveOut);
    if (!commands) return;
    const [pubsub, firestore] = await Promise.all([
      startEmulator(commands, 'pubsub'),
      startEmulator(commands, 'firestore'),
    ]);
    const hosts = { pubsub: pubsub.host, firestore: firestore.host };
    const found = new Map<JobPath, Walked>();
    // The first one meets emulators that just started.
    const [first] = paths;
    if (first) await walked(first, hosts);
    const isStreamed = ({ environment }: JobPath) => environment?.FLUSH_MS !== undefined;
    // Text that takes longer than was meant is flushed more often: nothing else happens meanwhile.
    for (const path of paths.filter(isStreamed)) found.set(path, await walked(path, hosts));
    const left = [...paths, ...sweeps].filter((path) => !isStreamed(path)).values();
    const lanes = Array.from({ length: AT_ONCE }, async () => {
      for (const path of left) {
        bench.say(path.name);
        found.set(path, await walked(path, hosts));
      }
    });
    await Promise.all(lanes);
    await Promise.all([pubsub.stop(), firestore.stop()]);

    const tableOf = (some: readonly JobPath[]): Rows =>
      Object.fromEntries(
        some.flatMap((path) => (found.has(path) ? [[path.name, rowOf(found.get(path) as Walked)]] : [])),
      );
    bench.table('Per job', tableOf(paths));
    bench.table('Per sweep', tableOf(sweeps));
    bench.plot({
      title: 'A million jobs, by the way that they go',
      kind: 'bars',
      x: { label: 'way' },
      y: { label: 'US dollars' },
      points: REGIONS.flatMap((series) =>
        paths.flatMap((path) => {
          const one = found.get(path);
          return one ? [{ x: path.name, y: rounded(dollarsOf(one, series)), series }] : [];
        }),
      ),
    });
    const plain = found.get(first as JobPath);
    if (plain) {
      const { writes, reads, messages } = plain.operations;
      bench.verdict({ what: 'a plain job: writes', value: writes, unit: 'writes', atMost: 3 });
      bench.verdict({
        what: 'a plain job: reads',
        value: reads + plain.queryReads + plain.told,
        unit: 'reads',
        atMost: 1,
      });
      bench.verdict({ what: 'a plain job: messages', value: messages, unit: 'messages', atMost: 1 });
    }
    const dearest = Math.max(...sweeps.map((path) => readsOf(found.get(path) as Walked)));
    bench.verdict({ what: 'an idle sweep, however many jobs are stored', value: dearest, unit: 'reads', atMost: 1 });
  },
);
