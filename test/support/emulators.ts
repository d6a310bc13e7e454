/** What emulator tests share: where the emulators are, a project of their own. */
import { describe, inject } from 'vitest';
import { type Config, readConfig } from '../../shared/config.ts';

const found = inject('emulators');

/** `describe`, skipped where the emulators are not installed. */
export const describeOnEmulators = describe.skipIf(found === undefined);

/** The emulators' addresses; only to be asked within `describeOnEmulators`. */
export function emulators(): { pubsub: string; firestore: string } {
  if (!found) throw new Error('no emulators');
  return found;
}

/** Settings for a project that no other test uses. */
export function emulatorConfig(environment: Record<string, string> = {}): Config {
  const { pubsub, firestore } = emulators();
  return readConfig({
    GOOGLE_CLOUD_PROJECT: `demo-${crypto.randomUUID().slice(0, 8)}`,
    PUBSUB_EMULATOR_HOST: pubsub,
    FIRESTORE_EMULATOR_HOST: firestore,
    LOG_LEVEL: 'error',
    ...environment,
  });
}
