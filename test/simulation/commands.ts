/** The simulation by hand: a list of commands, as a property test makes and shrinks them, and what became of the jobs. */
import { virtualClock } from '../support/virtual-clock.ts';
import { tokensOf } from './money.ts';
import { chance } from './random.ts';
import { limitsOf } from './slots.ts';
import { STORE_FAULTS, simulatedWorld } from './world.ts';

const LEASE_MS = 60_000;
const JOBS_MOST = 4;
const WORKERS = 2;

/** `job` and `worker` are numbers of one; `ms` is how long; `fault` is one of the next call of store or queue. */
export type Command =
  | { do: 'submit' | 'cancel' | 'delete' | 'redrive' | 'deliver'; job: number }
  | { do: 'crash' | 'pause' | 'resume' | 'drain'; worker: number }
  | { do: 'sweep' | 'lose messages' }
  | { do: 'pass'; ms: number }
  | { do: 'fail'; fault: number };

/** Does as told, lets the dust settle, and answers what did not hold. */
export async function obey(commands: readonly Command[], seed: number): Promise<readonly string[]> {
  const luck = chance(seed);
  const clock = virtualClock();
  const world = simulatedWorld({
    ...{
      clock,
      luck: luck.fork(),
      workers: WORKERS,
      leaseMs: LEASE_MS,
      faultRate: 0,
      running: limitsOf(seed),
      tokens: tokensOf(seed),
    },
    ...{ trouble: 0.3, slowestMs: 60_000, waitsMs: [0, 20_000, 90_000], skewMs: 300_000, silenceMs: 20_000 },
  });
  const ids = Array.from({ length: JOBS_MOST }, () => luck.uuid());
  const submitted = new Set<string>();
  for (const command of commands) {
    await act(command);
    await clock.advance(10);
  }
  world.calm();
  for (let turns = 0; turns < 250 && !(world.areOver([...submitted]) && world.areTold()); turns++) {
    void world.sweep();
    await clock.advance(20_000);
  }
  await clock.advance(LEASE_MS);
  const found = world.settled(false);
  world.close();
  return found;

  async function act(command: Command): Promise<void> {
    switch (command.do) {
      case 'submit':
        submitted.add(idOf(command.job));
        return void world.submit(idOf(command.job));
      case 'cancel':
        return submitted.has(idOf(command.job)) ? void world.cancel(idOf(command.job)) : undefined;
      case 'delete':
        return submitted.has(idOf(command.job)) ? void world.remove(idOf(command.job)) : undefined;
      case 'redrive':
        return submitted.has(idOf(command.job)) ? void world.redrive(idOf(command.job)) : undefined;
      case 'deliver':
        return world.deliver(idOf(command.job));
      case 'sweep':
        return void world.sweep();
      case 'lose messages':
        return world.loseMessages();
      case 'fail':
        return world.arm(STORE_FAULTS[command.fault % STORE_FAULTS.length] ?? 'before');
      case 'pass':
        return clock.advance(command.ms);
      default:
        return harm(command.do, command.worker);
    }
  }

  function harm(what: 'crash' | 'pause' | 'resume' | 'drain', number: number): void {
    const worker = world.workers()[number % WORKERS];
    if (!worker) return;
    if (what === 'crash') worker.process.kill();
    else if (what === 'drain') world.drain(worker);
    else worker.process[what]();
  }

  function idOf(job: number): string {
    return ids[job % JOBS_MOST] as string;
  }
}
