/** Many jobs that take of one account, on the emulators: 20 every day, 100 in the long run. */
import { describeOnEmulators } from '../support/emulators.ts';
import { creditCrowdScenarios } from './credits-crowd.ts';
import { openEmulatorWorld } from './emulator-world.ts';

describeOnEmulators('on the emulators', { concurrent: true }, () => {
  creditCrowdScenarios(openEmulatorWorld, process.env.LONG ? 100 : 20);
});
