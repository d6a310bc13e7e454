/** `/break-it/` on the emulators. */
import { afterAll, beforeAll } from 'vitest';
import { startEmulatedToBreak } from '../browser/emulated-service.ts';
import { breakItTests } from '../end-to-end/break-it.ts';
import { describeOnEmulators } from '../support/emulators.ts';

describeOnEmulators('on the emulators,', () => {
  let service: Awaited<ReturnType<typeof startEmulatedToBreak>>;
  beforeAll(async () => {
    service = await startEmulatedToBreak();
  }, 90_000);
  afterAll(() => service?.stop());

  breakItTests(() => service.baseUrl);
});
