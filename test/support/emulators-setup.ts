/** Starts Google's emulators once for all emulator tests, or says why it cannot. */
import type { TestProject } from 'vitest/node';
import { bundleAll } from '../../infra/bundle.ts';
import { EmulatorsMissing, findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import { firestoreStores } from './stores.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Absent where the emulators are not installed. */
    emulators: { pubsub: string; firestore: string } | undefined;
  }
}

/** The first calls of a virtual machine that just started take longer than a store may take for an answer. */
async function warmUp(emulatorHost: string): Promise<void> {
  const { store, chunks, parts, close } = firestoreStores({
    projectId: 'demo-warm-up',
    emulatorHost,
    deadlineMs: 30_000,
  });
  const key = { tenant: 'default', id: crypto.randomUUID() };
  await chunks.put(key, { attempt: 1, n: 1, text: 'warm' }, Date.now());
  await parts.unchecked(Date.now(), 1);
  await store.get(key);
  await store.list({ tenant: key.tenant, limit: 1, offset: 0 });
  await close();
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  try {
    const commands = findEmulators();
    const [pubsub, firestore] = await Promise.all([
      startEmulator(commands, 'pubsub'),
      startEmulator(commands, 'firestore'),
      bundleAll({ sourcemap: false }),
    ]);
    await warmUp(firestore.host);
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
