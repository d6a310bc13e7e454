/** Parts that no job names: their writer died between the last of them and the write that would have named them. */
import { describeError } from './errors.ts';
import type { PartSetKey, PartStore } from './part-store.ts';
import { CHECK_AFTER_MS, checkOf } from './parts.ts';
import type { Clock, JobStore, Log } from './ports.ts';

export type OrphanOptions = { store: JobStore; parts: PartStore; clock: Clock; log: Log };

/** Sets per query, and queries per look: sets that are named come by here, too, once. What remains is due at the next look. */
const PAGE = 100;
const PAGES_MOST = 50;

/** Looks at the sets that are due to be checked, and removes those that no job names. Never throws. One read when there is none. */
export async function removeOrphans(options: OrphanOptions): Promise<void> {
  try {
    for (let page = 0; page < PAGES_MOST; page++) {
      const due = await options.parts.unchecked(options.clock.nowMs(), PAGE);
      if (due.length > 0) await checkAll(options, due);
      if (due.length < PAGE) return;
    }
  } catch (error) {
    options.log('warning', 'orphans-unremoved', { error: describeError(error) });
  }
}

async function checkAll({ store, parts, clock, log }: OrphanOptions, due: readonly PartSetKey[]): Promise<void> {
  const found = await store.getMany(due);
  const nextMs = clock.nowMs() + CHECK_AFTER_MS;
  const check = async (key: PartSetKey, index: number) => {
    const todo = checkOf(found[index]?.job, key.set);
    if (todo !== 'remove') return parts.check(key, todo === 'wait' ? nextMs : null);
    await parts.remove(key);
    log('info', 'orphan-removed', { job_id: key.id });
  };
  await Promise.all(due.map(check));
}
