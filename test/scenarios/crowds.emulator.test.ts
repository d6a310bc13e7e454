/** Many jobs that take of one account, on the emulators. */
import { describeOnEmulators } from '../support/emulators.ts';
import { creditCrowdScenarios } from './credits-crowd.ts';
import { openEmulatorWorld } from './emulator-world.ts';

describeOnEmulators('on the emulators', { concurrent: true }, () => {
  creditCrowdScenarios(openEmulatorWorld, 100);
});
