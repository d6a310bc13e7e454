/** The store as all use it where slots are limited: whoever gives one back hands it on, whichever way its job was left. */
import { describeError } from './errors.ts';
import type { Limiter } from './limiter.ts';
import type { Clock, JobStore, Log } from './ports.ts';
import { givesBack } from './slots.ts';
import { within } from './within.ts';

/** No finish waits longer; what was not handed on by then goes on being, or is done by whoever comes next. */
const HAND_ON_MS = 2_000;

/** `store`, whose updates that give a slot back hand it on. That this fails is never the update's error. */
export function handingOn(
  store: JobStore,
  { limiter, clock, log }: { limiter: Pick<Limiter, 'handOn'>; clock: Clock; log: Log },
): JobStore {
  async function handOn(tenant: string): Promise<void> {
    const handed = limiter.handOn(tenant).catch((error: unknown) => {
      log('warning', 'slot-not-handed-on', { error: describeError(error) });
    });
    await within(clock, HAND_ON_MS, handed);
  }

  return {
    ...store,
    async update(key, revision, changes, options) {
      const write = store.update(key, revision, changes, options);
      if (!givesBack(changes)) return write;
      // A write of unknown fate may have landed, and nobody would know who gave the slot back.
      const answer = await write.catch(async (error: unknown) => {
        await handOn(key.tenant);
        throw error;
      });
      if ('written' in answer) await handOn(key.tenant);
      return answer;
    },
  };
}
