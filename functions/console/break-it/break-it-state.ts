/** What the service tells of what is done to it, as `/break-it/` answers it. */
import type { Deed } from './victim.ts';

export type BreakItState = {
  /** `true`, or a sentence that says why not. */
  available: Readonly<Record<Deed, true | string>>;
  /** Whose calls are counted. */
  model: string;
  counters: Readonly<Record<'calls' | 'refused_writes' | 'refused_claims' | 'kills' | 'deliveries', number>>;
  frozen: boolean;
  /** How many calls its provider counted, by job. */
  calls: Readonly<Record<string, number>>;
};
