/** Parts that no job names: their writer died between the last of them and the write that would have named them. */
import { describeError } from './errors.ts';
import type { PartSetKey, PartStore } from './part-store.ts';
import { CHECK_AFTER_MS, checkOf } from './parts.ts';
import type { Clock, JobStore, Log } from './ports.ts';

export type OrphanOptions = { store: JobStore; parts: PartStore; clock: Clock; log: Log };

/** Of one look; what remains is due at the next one. */
const SETS_MOST = 100;

/** Looks at the sets that are due to be checked, and removes those that no job names. Never throws. One read when there is none. */
export async function removeOrphans(options: OrphanOptions): Promise<void> {
  const { store, parts, clock, log } = options;
  try {
    const due = await parts.unchecked(clock.nowMs(), SETS_MOST);
    if (due.length === 0) return;
    const found = await store.getMany(due);
    const nextMs = clock.nowMs() + CHECK_AFTER_MS;
    const check = async (key: PartSetKey, index: number) => {
      const todo = checkOf(found[index]?.job, key.set);
      if (todo !== 'remove') return parts.check(key, todo === 'wait' ? nextMs : null);
      await parts.remove(key);
      log('info', 'orphan-removed', { job_id: key.id });
    };
    await Promise.all(due.map(check));
  } catch (error) {
    log('warning', 'orphans-unremoved', { error: describeError(error) });
  }
}
