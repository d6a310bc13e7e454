/** The clients of seed 004 in a browser, on the emulators. */
import { startTestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { warmUp } from '../support/http-client.ts';
import { promptPagesSuite } from './prompt-pages.ts';

describeOnEmulators('on the emulators,', () => {
  promptPagesSuite('the emulators', async () => {
    const stack = await startTestStack({ SIMULATED_MS: '300', GEMINI_API_KEY: '' });
    await warmUp(stack.baseUrl);
    return stack;
  });
});
