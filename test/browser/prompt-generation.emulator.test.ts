/** The clients of seed 004 in a browser, on the emulators. */
import { startTestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { promptPagesSuite } from './prompt-pages.ts';

describeOnEmulators('on the emulators,', () => {
  promptPagesSuite('the emulators', () => startTestStack({ SIMULATED_MS: '300', GEMINI_API_KEY: '' }));
});
