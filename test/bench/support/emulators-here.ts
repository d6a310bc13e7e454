/** Google's emulators, where they are. */
import { type EmulatorCommands, EmulatorsMissing, findEmulators } from '../../../infra/emulator-processes.ts';
import type { Bench } from './bench.ts';

/** How to start them; where they are missing, says what is left out for it. */
export function emulatorsHere(leaveOut: Bench['leaveOut'], rows = 'all'): EmulatorCommands | undefined {
  try {
    return findEmulators();
  } catch (error) {
    if (!(error instanceof EmulatorsMissing)) throw error;
    leaveOut(rows, error.message);
    return undefined;
  }
}
