/** What must hold, whatever is broken: no more calls than were recorded, and no job lost. */
import { isLost, recordedCalls, type Victim } from './victim.ts';

export type Verdict = { calls: number; recorded: number; lost: number; holds: boolean };

/** Of all victims, by what their provider counted. A call that is counted before we have seen its record is looked into first. */
export function verdictOn(victims: readonly Victim[], calls: Readonly<Record<string, number>>): Verdict {
  const sum = (of: (victim: Victim) => number) => victims.reduce((before, victim) => before + of(victim), 0);
  const lost = victims.filter(isLost).length;
  return {
    calls: sum(({ jobId }) => calls[jobId] ?? 0),
    recorded: sum(recordedCalls),
    lost,
    holds: lost === 0 && !victims.some(({ isUnrecorded }) => isUnrecorded),
  };
}
