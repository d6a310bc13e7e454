/** One chaos run: load and faults together, then quiet until everything is over, then the verdict. */
import { setMaxListeners } from 'node:events';
import type { JobPosition } from '../shared/core/ports.ts';
import { type Chance, chance } from '../test/simulation/random.ts';
import { type Breaker, breaker, type Fault } from './chaos-faults.ts';
import { type Ledger, openLedger } from './chaos-ledger.ts';
import { type Habits, look, runLoad } from './chaos-load.ts';
import { markIn, type Temper } from './chaos-provider.ts';
import { type Document, type Verdict, verdictOf } from './chaos-verdict.ts';
import { type ChaosOptions, type ChaosWorld, LOCAL, openChaosWorld } from './chaos-world.ts';

/** What can be seen of a run while it goes on. */
export type ChaosView = { world: ChaosWorld; ledger: Ledger; faults: Breaker; phase: Phase };
export type Phase = 'breaking' | 'draining' | 'judging';

export type ChaosRun = Pick<ChaosOptions, 'workerBundle'> & {
  seed: number;
  workers: number;
  clients: number;
  temper: Temper;
  habits: Habits;
  jobsMost?: number;
  /** Emulators that others use, too. */
  emulators?: { pubsub: string; firestore: string };
  /** What is broken, one after the other: each is begun as soon as it comes. The end of them is the end of the load. */
  faults(view: ChaosView, luck: Chance): AsyncIterable<Fault>;
  /** After the last fault: how long everything may take to be over. */
  drainMs: number;
  /** Gets every line that a process prints. */
  onLine?: (line: string) => void;
  onView?: (view: ChaosView) => void;
  /** Aborted to have the verdict now, of what is there. */
  interrupt?: AbortSignal;
};

export type ChaosReport = {
  verdict: Verdict;
  /** How often a fault was done, and how often it hit a worker that held a job. */
  faults: Breaker['counts'];
  redeliveries: number;
  /** Requests to webhooks, and of how many events they were. */
  told: { requests: number; events: number };
  zombieWrites: number;
  /** Holders that stopped by their own clock, without a write. */
  selfFenced: number;
  troubles: [event: string, times: number][];
};

/** Ends of jobs that are read again when all is over. */
const REREAD_MOST = 300;
const PAGE = 50;

export async function runChaos(run: ChaosRun): Promise<ChaosReport> {
  const { seed, interrupt = new AbortController().signal } = run;
  const luck = chance(seed);
  const [ofLoad, ofFaults, ofBreaker] = [luck.fork(), luck.fork(), luck.fork()];
  const world = await openChaosWorld({ ...run, luck });
  try {
    const ledger = openLedger();
    const faults = breaker({ world, luck: ofBreaker, knownIds: () => [...ledger.jobs.keys()] });
    const view: ChaosView = { world, ledger, faults, phase: 'breaking' };
    run.onView?.(view);
    const [enough, over] = [new AbortController(), new AbortController()];
    // Every request and every pause of a client listens to it.
    setMaxListeners(0, over.signal);
    const load = runLoad({
      ...{ world, ledger, luck: ofLoad, clients: run.clients, habits: run.habits },
      ...{ jobsMost: run.jobsMost ?? Infinity, enough: enough.signal, over: over.signal },
    });
    const breaking = (async () => {
      for await (const fault of run.faults(view, ofFaults)) {
        if (interrupt.aborted) return;
        void faults.breakOne(fault).catch((error: unknown) => ledger.complain(`breaking (${fault}) broke: ${error}`));
      }
    })();
    await Promise.race([breaking, aborted(interrupt)]);
    view.phase = 'draining';
    // With a number of jobs, all of them are submitted, however early the faults end.
    if (run.jobsMost === undefined || interrupt.aborted) enough.abort();
    await faults.stop();
    const patience = setTimeout(() => over.abort(), run.drainMs);
    await Promise.race([load, aborted(interrupt)]);
    clearTimeout(patience);
    over.abort();
    view.phase = 'judging';
    await load;
    return await judge(view, interrupt.aborted);
  } finally {
    await world.close();
  }
}

async function judge({ world, ledger, faults }: ChaosView, isInterrupted: boolean): Promise<ChaosReport> {
  const told = [...ledger.jobs.values()];
  const notOver = new AbortController();
  const ended = told.filter(({ firstEnd }) => firstEnd !== undefined);
  const step = Math.ceil(ended.length / REREAD_MOST);
  for (let index = 0; index < ended.length; index += step) {
    const job = ended[index];
    if (job) await look({ world, ledger, over: notOver.signal }, job);
  }
  const { log, provider, receiver } = world;
  const wrong = [
    ...ledger.wrong,
    ...receiver.wrong,
    ...log.leaks.map((line) => `a log line holds a key or a prompt: ${line}`),
    ...log.crashes.map((line) => `a process ended by itself: ${line}`),
  ];
  // Before the documents: what is told in between is in neither, or in both.
  const documents = await readAll(world);
  const { receipts } = receiver;
  return {
    verdict: verdictOf({ told, documents, calls: provider.calls, receipts, wrong, isInterrupted }),
    faults: faults.counts,
    redeliveries: world.redeliveries(),
    told: { requests: receipts.length, events: new Set(receipts.map(({ id }) => id)).size },
    zombieWrites: log.count('zombie-write-refused'),
    selfFenced: log.count('lease-lost', 'not renewed in time') + log.count('lease-lost', 'lease-ended'),
    troubles: log.troubles(),
  };
}

/** Every job that is stored, with the mark in its input. */
async function readAll({ runtime: { service } }: ChaosWorld): Promise<Document[]> {
  const documents: Document[] = [];
  let after: JobPosition | undefined;
  do {
    const page = await service.listWithInputs(LOCAL, { after, limit: PAGE, offset: 0 }, () => true);
    for (const listed of page.jobs) {
      // A list leaves in parts what lies there.
      const isWhole = listed.job.parts === undefined;
      const { job, input } = isWhole ? listed : await service.readWithInput(LOCAL, listed.job.id, () => true);
      documents.push({ job, mark: markIn(JSON.stringify(input ?? null)) });
    }
    after = page.next;
  } while (after !== undefined);
  return documents;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
