/** The React hook in a browser, on the emulators. */
import { describeOnEmulators } from '../support/emulators.ts';
import { startEmulated } from './emulated-service.ts';
import { hookPagesSuite } from './hook-pages.ts';

describeOnEmulators('on the emulators,', () => {
  hookPagesSuite('the emulators', startEmulated);
});
