/** The storm of copies on the emulators: 1,000 of them every day, 10,000 in the long run. */
import { describeOnEmulators } from '../support/emulators.ts';
import { openEmulatorWorld } from './emulator-world.ts';
import { stormScenarios } from './storm.ts';

describeOnEmulators('on the emulators', () => {
  stormScenarios(openEmulatorWorld, process.env.LONG ? 10_000 : 1_000);
});
