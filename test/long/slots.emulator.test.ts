/** B05 and B06 with crowds on the emulators. */

import { openEmulatorWorld } from '../scenarios/emulator-world.ts';
import { crashScenarios, crowdScenarios } from '../scenarios/slots.ts';
import { describeOnEmulators } from '../support/emulators.ts';

describeOnEmulators('on the emulators', () => {
  crashScenarios(openEmulatorWorld, 50);
  crowdScenarios(openEmulatorWorld, 500);
});
