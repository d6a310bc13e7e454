/**
 * What time does: one query finds the jobs whose `wakeAt` has come, the pure table decides each, a fenced write commits
 * the decision, and only then is the doorbell rung. Two sweepers at once ring a job once, for one of the writes is refused.
 */
import { transition } from './lifecycle.ts';
import type { Clock, JobQueue, JobStore, Log, StoredJob } from './ports.ts';

export type SweepOptions = { store: JobStore; queue: JobQueue; clock: Clock; log: Log };

/** Jobs per query, and queries per sweep: what remains is due at the next sweep, the longest waiting first. */
const PAGE = 100;
const PAGES_MOST = 20;

/** Rings every job that is due: pending ones nobody claimed, and those whose lease ended. Costs one read when idle. */
export async function sweep(options: SweepOptions): Promise<{ rung: number }> {
  let rung = 0;
  for (let page = 0; page < PAGES_MOST; page++) {
    const due = await options.store.due(options.clock.nowMs(), PAGE);
    const rings = await Promise.all(due.map((found) => ringDue(options, found)));
    rung += rings.filter(Boolean).length;
    // A page on which nothing could be rung would come again as it is.
    if (due.length < PAGE || !rings.some(Boolean)) break;
  }
  if (rung > 0) options.log('info', 'sweep-rang', { rung });
  return { rung };
}

async function ringDue({ store, queue, log }: SweepOptions, found: StoredJob): Promise<boolean> {
  const { tenant, id } = found.job;
  const decision = transition(found.job, { type: 'ring', nowMs: found.readAtMs });
  if (decision.refused) return false;
  try {
    const answer = await store.update({ tenant, id }, found.revision, decision.changes);
    if ('refused' in answer) return false;
    await queue.publish({ tenant, id });
    return true;
  } catch (error) {
    // One job's fault must not stop the others; its next ring is already in the document, or it is still due.
    log('warning', 'ring-failed', { job_id: id, error: String(error) });
    return false;
  }
}
