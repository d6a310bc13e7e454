/** Notes that a result was read by its owner, so that it goes soon (`store: false`). */
import type { Principal, Seen } from './access.ts';
import { describeError } from './errors.ts';
import { applyChanges } from './job.ts';
import type { JobWatch } from './job-watch.ts';
import { transition } from './lifecycle.ts';
import { holdsResult } from './payloads.ts';
import type { Clock, JobStore, Log, StoredJob } from './ports.ts';
import { within } from './within.ts';

export type PayloadReadsOptions = { store: JobStore; watch: JobWatch; clock: Clock; log: Log };

export type PayloadReads = {
  /**
   * To be called with all that a reader is given. What is not noted (the store says nothing) goes an hour after the end
   * of its job, as if nobody had read it. Never throws, and takes no reader's time for long.
   */
  note(principal: Principal, seen: readonly Seen[]): Promise<void>;
};

/** A reader does not wait longer for it. */
const NOTE_WAIT_MS = 2_000;
/** A note that meets a newer document is decided again on it, this often at most. */
const TRIES = 5;

export function payloadReads({ store, watch, clock, log }: PayloadReadsOptions): PayloadReads {
  async function noteOne(given: StoredJob): Promise<void> {
    let found: StoredJob | undefined = given;
    for (let tries = 0; tries < TRIES && found; tries++) {
      const { job, revision, readAtMs }: StoredJob = found;
      const { changes } = transition(job, { type: 'read', nowMs: readAtMs });
      if (!changes) return;
      const answer = await store.update(job, revision, changes);
      if ('written' in answer) {
        const { revision: next, atMs } = answer.written;
        watch.offer({ ...found, job: applyChanges(job, changes), revision: next, readAtMs: atMs });
        return;
      }
      // Another reader noted it, the job was deleted, or others are being told of it.
      found = await store.get(job);
    }
  }

  async function noteAll(seen: readonly Seen[]): Promise<void> {
    const found = await store.getMany(seen.map(({ job }) => job));
    await Promise.all(found.map((one) => one && noteOne(one)));
  }

  return {
    async note(principal, seen) {
      // Somebody else's look must not take the owner's answer away.
      const own = seen.filter(({ job }) => job.user === principal.user);
      const unnoted = own.filter(
        ({ job, nowMs }) => holdsResult(job) && transition(job, { type: 'read', nowMs }).changes,
      );
      if (unnoted.length === 0) return;
      const noting = noteAll(unnoted).catch((error: unknown) => {
        log('warning', 'read-unnoted', {
          job_id: unnoted[0]?.job.id,
          jobs: unnoted.length,
          error: describeError(error),
        });
      });
      await within(clock, NOTE_WAIT_MS, noting);
    },
  };
}
