/** The clients of seed 004 in a browser, on the emulators. */
import { describeOnEmulators } from '../support/emulators.ts';
import { startEmulated } from './emulated-service.ts';
import { promptPagesSuite } from './prompt-pages.ts';

describeOnEmulators('on the emulators,', () => {
  promptPagesSuite('the emulators', startEmulated);
});
