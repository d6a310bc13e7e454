/** Starts Google's emulators once for all emulator tests, or says why it cannot. */
import type { TestProject } from 'vitest/node';
import { bundleAll } from '../../infra/bundle.ts';
import { EmulatorsMissing, findEmulators, startEmulator } from '../../infra/emulator-processes.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Absent where the emulators are not installed. */
    emulators: { pubsub: string; firestore: string } | undefined;
  }
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  try {
    const commands = findEmulators();
    const [pubsub, firestore] = await Promise.all([
      startEmulator(commands, 'pubsub'),
      startEmulator(commands, 'firestore'),
      bundleAll(),
    ]);
    project.provide('emulators', { pubsub: pubsub.host, firestore: firestore.host });
    return async () => {
      await Promise.all([pubsub.stop(), firestore.stop()]);
    };
  } catch (error) {
    if (!(error instanceof EmulatorsMissing)) throw error;
    console.warn(`\nNOT RUN: the emulator tests. ${error.message}\n`);
    project.provide('emulators', undefined);
    return undefined;
  }
}
