/** The scenarios of background mode on the emulators: each is some seconds of waiting for the next look. */
import { describeOnEmulators } from '../support/emulators.ts';
import { backgroundScenarios } from './background.ts';
import { backgroundAnswerScenarios } from './background-answers.ts';
import { backgroundCrashScenarios } from './background-crashes.ts';
import { backgroundHandoverScenarios } from './background-handover.ts';
import { backgroundStopScenarios } from './background-stops.ts';
import { openEmulatorWorld } from './emulator-world.ts';

describeOnEmulators('on the emulators', { concurrent: true }, () => {
  backgroundScenarios(openEmulatorWorld);
  backgroundAnswerScenarios(openEmulatorWorld);
  backgroundCrashScenarios(openEmulatorWorld);
  backgroundHandoverScenarios(openEmulatorWorld);
  backgroundStopScenarios(openEmulatorWorld);
});
