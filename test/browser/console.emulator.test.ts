/** The console, on the emulators. */
import { describeOnEmulators } from '../support/emulators.ts';
import { consoleSuite } from './console-suite.ts';
import { startEmulatedToBreak } from './emulated-service.ts';

describeOnEmulators('on the emulators,', () => {
  consoleSuite(async () => ({ ...(await startEmulatedToBreak()), name: 'emulators' as const }), 'pages');
});
