/** All functions on the emulators, for the pages of a test, without any provider's key. */
import { findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import { startTestStack } from '../support/emulator-stack.ts';
import { emulators } from '../support/emulators.ts';
import { warmUp } from '../support/http-client.ts';

const ENVIRONMENT = { SIMULATED_MS: '300', GEMINI_API_KEY: '' };

export async function startEmulated() {
  const stack = await startTestStack(ENVIRONMENT);
  await warmUp(stack.baseUrl);
  return stack;
}

/** One that can be broken, with a Firestore of its own, for others must not be frozen with it. */
export async function startEmulatedToBreak() {
  const firestore = await startEmulator(findEmulators(), 'firestore');
  const hosts = { ...emulators(), firestore: firestore.host };
  // A lease has to run out before anybody takes over what a killed worker held.
  const environment = { ...ENVIRONMENT, CONSOLE: 'true', LEASE_MS: '6000', SWEEP_MS: '500' };
  const stack = await startTestStack(environment, hosts, 1, { signalFirestore: firestore.signal });
  await warmUp(stack.baseUrl);
  return {
    ...stack,
    async stop() {
      await stack.stop();
      await firestore.stop();
    },
  };
}
