/** The console as a newcomer finds it, on `npm start`. */
import { consoleSuite } from './console-suite.ts';
import { startLocalSupervised } from './local-service.ts';

consoleSuite(async () => ({ ...(await startLocalSupervised()), name: 'npm start' as const }), 'newcomer');
