/** Reading jobs: at once, or when something has changed; one, many, a page, a stream. */
import { keyFor, maySee, notFound, ownerOf, type Principal, type Seen, seenBy } from './access.ts';
import { auditJobs } from './audit.ts';
import { describeError, isServiceError, ServiceError } from './errors.ts';
import type { Job, JobState, Json } from './job.ts';
import type { JobWatch } from './job-watch.ts';
import type { InParts } from './part-set.ts';
import type { PartStore } from './part-store.ts';
import type { PayloadReads } from './payload-reads.ts';
import { asShown, isWhole } from './payloads.ts';
import type { Clock, JobPosition, JobQuery, JobStore, Log, StoredJob } from './ports.ts';
import { resume, type StreamEvent, streamEvents } from './stream.ts';
import { type WaitOptions, waitFor } from './waiting.ts';
import { payloadOf, wholeInputs, wholeOf } from './whole.ts';

export type ReadOptions = WaitOptions & {
  /** The reader is not given the job, so that it does not count as read (`store: false`). */
  isGlance?: boolean;
  /** `apart`: a result that lies in parts is left there, for `payload`; otherwise it is loaded. */
  large?: 'apart';
};

/** `user`: of those that the principal sees. */
export type ListFilter = Omit<JobQuery, 'tenant'>;

/** A page may be short where jobs have expired; `next` alone says whether there is more, and where it begins. */
export type JobPage = { jobs: Seen[]; next: JobPosition | undefined };

/** A job with what it was asked; that is absent when it was removed. */
export type SeenWithInput = Seen & { input: Json | undefined };

/** Is this a job of the contract that asks? Others are not found there. */
export type Wanted = (found: SeenWithInput) => boolean;

/** `over`: the reader has seen the end of the job already. */
export type JobStream = { events: AsyncIterable<StreamEvent> } | { over: true };

export type Reading = {
  /** One job of this principal. Throws `job_not_found`, also for an id that is malformed or somebody else's. */
  read(principal: Principal, id: string, options?: ReadOptions): Promise<Seen>;
  /**
   * One job as it is now, with its input, for contracts that show it. Throws `job_not_found`, also for one that is not
   * wanted, which then does not count as read.
   */
  readWithInput(
    principal: Principal,
    id: string,
    wanted: Wanted,
    options?: Pick<ReadOptions, 'isGlance'>,
  ): Promise<SeenWithInput>;
  /**
   * What a job that was read holds in parts, as pieces of JSON text, the first of which is there already. Throws
   * `store_unavailable`, also where it was removed meanwhile, `job_not_found` where the job was deleted, or
   * `internal_error` where it is damaged; after the first piece whichever it is breaks it off.
   */
  payload(principal: Principal, job: Job, field: InParts): Promise<AsyncIterable<string>>;
  /** Many jobs at once, in their order; what lies in parts stays there; `undefined` for what this principal does not find. */
  readMany(principal: Principal, ids: readonly string[]): Promise<(Seen | undefined)[]>;
  /** A page of this principal's jobs, newest first. */
  list(principal: Principal, filter: ListFilter): Promise<JobPage>;
  /** As `list`, of those jobs alone that are wanted, with their inputs. A page may be short, or empty, before the last. */
  listWithInputs(
    principal: Principal,
    filter: ListFilter,
    wanted: Wanted,
  ): Promise<{ jobs: SeenWithInput[]; next: JobPosition | undefined }>;
  /** How many jobs of a batch there are in each state. */
  countBatch(principal: Principal, batchId: string): Promise<Record<JobState, number>>;
  /**
   * The events of a job after a cursor, or from a snapshot on. Ends with the job, or when `signal` is aborted, which the
   * caller does in any case. Throws `job_not_found` before any event.
   */
  stream(principal: Principal, id: string, cursor: number | undefined, signal: AbortSignal): Promise<JobStream>;
};

export type ReadingOptions = { store: JobStore; parts: PartStore; watch: JobWatch; reads: PayloadReads } & {
  clock: Clock;
  log: Log;
};

export function reading({ store, parts, watch, reads, clock, log }: ReadingOptions): Reading {
  /** What a reader gets; from here on it counts as read, but for what many are shown without. */
  async function given(principal: Principal, act: 'read' | 'list', found: readonly Seen[]): Promise<Seen[]> {
    const shown = found.map(asShown);
    const jobs = shown.map(({ job }) => job);
    auditJobs(log, principal, act, jobs);
    await reads.note(principal, act === 'read' ? shown : shown.filter(({ job }) => isWhole(job)));
    return shown;
  }

  /**
   * What a job is whose parts could not be read, where its payloads went meanwhile. Throws `job_not_found` where it was
   * deleted, else the error.
   */
  async function withoutPayloads(principal: Principal, job: Job, error: unknown): Promise<Seen> {
    if (!isServiceError(error, 'internal_error')) throw error;
    const now = asShown(seenBy(principal, await watch.look(job)));
    if (now.job.payloadsRemovedAt === undefined) throw error;
    return now;
  }

  async function payload(principal: Principal, job: Job, field: InParts): Promise<AsyncIterable<string>> {
    try {
      return await payloadOf(parts, job, field, (error) =>
        log('error', 'payload-broken-off', { job_id: job.id, field, error: describeError(error) }),
      );
    } catch (error) {
      await withoutPayloads(principal, job, error);
      const sentence = 'The result was removed while it was read. Ask again.';
      throw new ServiceError('store_unavailable', sentence, { cause: error, retryAfterMs: 1_000 });
    }
  }

  async function givenOne(principal: Principal, found: Seen, { isGlance, large }: ReadOptions): Promise<Seen> {
    if (isGlance) return asShown(found);
    const whole =
      large === 'apart'
        ? found
        : await wholeOf(parts, asShown(found)).catch((error) => withoutPayloads(principal, found.job, error));
    const [shown = whole] = await given(principal, 'read', [whole]);
    return shown;
  }

  /** The wanted ones, with their inputs: one that is to be gone by now is not looked for. */
  async function wantedOf(found: readonly Seen[], wanted: Wanted, isWhole = false): Promise<SeenWithInput[]> {
    const shown = found.map(asShown);
    const kept = shown.filter(({ job }) => job.payloadsRemovedAt === undefined);
    const jobs = kept.map(({ job }) => job);
    const inline = jobs.length > 0 ? await store.inputs(jobs) : [];
    const inputs = isWhole ? await wholeInputs(parts, jobs, inline) : inline;
    const inputOf = new Map(kept.map((seen, index) => [seen, inputs[index]]));
    return shown.map((seen) => ({ ...seen, input: inputOf.get(seen) })).filter(wanted);
  }

  /** The end with its result; `undefined`: the reader comes back for it. One that is damaged for ever is told without. */
  async function withPayload(event: Extract<StreamEvent, { type: 'done' }>): Promise<StreamEvent | undefined> {
    try {
      return { ...event, seen: await wholeOf(parts, event.seen) };
    } catch (error) {
      log('error', 'payload-unread', { job_id: event.seen.job.id, error: describeError(error) });
      return isServiceError(error, 'store_unavailable') ? undefined : event;
    }
  }

  /** Noted when the reader has it: its connection may break with the last event on its way. */
  async function* givenAsTheyCome(
    principal: Principal,
    events: AsyncIterable<StreamEvent>,
  ): AsyncGenerator<StreamEvent> {
    for await (const event of events) {
      const told = event.type === 'done' ? await withPayload(event) : event;
      if (!told) return;
      yield told;
      const isGiven = event.type === 'done' || ('seen' in event && isWhole(event.seen.job));
      if (isGiven) await reads.note(principal, [event.seen]);
    }
  }

  async function page(principal: Principal, filter: ListFilter): Promise<JobPage> {
    const { tenant, user = filter.user } = ownerOf(principal);
    const found = await store.list({ ...filter, tenant, user, limit: filter.limit + 1 });
    const some = found.slice(0, filter.limit);
    const last = found.length > some.length ? some.at(-1)?.job : undefined;
    const jobs = some.map(seenIn).filter((seen) => maySee(principal, seen));
    return { jobs, next: last && { createdAt: last.createdAt, id: last.id } };
  }

  return {
    async read(principal, id, options = {}) {
      const key = keyFor(principal, id);
      if (!options.waitMs) {
        const known = watch.peek(key, options.leastVersion ?? 0);
        return givenOne(principal, seenBy(principal, known ?? (await watch.look(key))), options);
      }
      const watching = watch.join(key);
      try {
        return await givenOne(principal, await waitFor(clock, principal, watching, options), options);
      } finally {
        watching.leave();
      }
    },

    payload,

    async readMany(principal, ids) {
      const keys = ids.map((id) => keyFor(principal, id));
      const known = keys.map((key) => watch.peek(key, 0));
      const missing = keys.filter((_, index) => known[index] === undefined);
      const found = missing.length > 0 ? await store.getMany(missing) : [];
      const seen = known.map((one) => {
        if (one) return one;
        const stored = found.shift();
        return stored && watch.offer(stored);
      });
      const visible = seen.map((one) => (one && maySee(principal, one) ? one : undefined));
      const shown = await given(
        principal,
        'list',
        visible.filter((one) => one !== undefined),
      );
      return visible.map((one) => one && shown.shift());
    },

    async readWithInput(principal, id, wanted, options = {}) {
      const key = keyFor(principal, id);
      const found = seenBy(principal, watch.peek(key, 0) ?? (await watch.look(key)));
      const [one] = await wantedOf([found], wanted, true);
      if (!one) throw notFound();
      return { ...(await givenOne(principal, one, options)), input: one.input };
    },

    async list(principal, filter) {
      const { jobs, next } = await page(principal, filter);
      return { jobs: await given(principal, 'list', jobs), next };
    },

    async listWithInputs(principal, filter, wanted) {
      const { jobs, next } = await page(principal, filter);
      const shown = await wantedOf(jobs, wanted);
      await given(principal, 'list', shown);
      return { jobs: shown, next };
    },

    countBatch: (principal, batchId) => store.countByState({ ...ownerOf(principal), batchId }, clock.nowMs()),

    async stream(principal, id, cursor, signal) {
      const watching = watch.join(keyFor(principal, id));
      try {
        const { job } = seenBy(principal, await watching.first(0));
        auditJobs(log, principal, 'stream', [job]);
        const from = cursor === undefined ? undefined : await resume(watching, cursor);
        if (from === 'over') {
          watching.leave();
          return { over: true };
        }
        // Also when nobody ever asks for the first event.
        signal.addEventListener('abort', watching.leave);
        if (signal.aborted) watching.leave();
        return { events: givenAsTheyCome(principal, streamEvents(watching, from, signal)) };
      } catch (error) {
        watching.leave();
        throw error;
      }
    },
  };
}

function seenIn({ job, readAtMs }: StoredJob): Seen {
  return { job, nowMs: readAtMs };
}
