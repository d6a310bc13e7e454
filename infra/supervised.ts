/** What `npm start` and the service that it starts tell one another, and the service's end of it. */
import type { Available } from './break-it.ts';
import type { Counters } from './break-it-counts.ts';

/** What the service is told. */
export type Order =
  | { order: 'stop' }
  | { order: 'deliver'; jobId: string; times: number }
  | { order: 'freeze'; frozen: boolean };

/** What the service tells; `leaving`: it is about to end. */
export type Report = { available: Available } | { counter: keyof Counters } | { leaving: true };

/** Before the address of the supervisor's own server, among the arguments of a service that has a supervisor. */
export const SUPERVISOR = '--supervisor';

export type Supervisor = {
  /** Where its server is. */
  url: string;
  tell(report: Report): void;
  onOrder(take: (order: Order) => void): void;
};

/** Whoever started this process to look after it, if somebody did. Whose supervisor dies, by whatever way, dies with it. */
export function supervisorOf(argv: readonly string[]): Supervisor | undefined {
  const url = argv[argv.indexOf(SUPERVISOR) + 1];
  if (!argv.includes(SUPERVISOR) || url === undefined || !process.send) return undefined;
  // As a crash would: the port and the file are free for the next start, which takes over what is under way.
  const die = () => process.kill(process.pid, 'SIGKILL');
  process.on('disconnect', die);
  // It died while this process loaded, when nobody here could hear of it.
  if (!process.connected) die();
  return {
    url,
    tell: (report) => void process.send?.(report, undefined, undefined, () => {}),
    onOrder: (take) => void process.on('message', (order) => take(order as Order)),
  };
}
