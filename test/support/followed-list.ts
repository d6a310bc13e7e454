/** A followed list in a test's world: what its reader is told, and jobs that come and change. */
import { expect } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import type { Job, JobChanges } from '../../shared/core/job.ts';
import type { ListEvent, ListStreamFilter } from '../../shared/core/list-stream.ts';
import type { JobService } from '../../shared/core/service.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { ADA, type CoreWorld } from './core-world.ts';

/** An event as the test names it. */
type Told = { type: string; jobs: string[]; gone?: string[]; atMs: number };

/** What the tests of followed lists do in their world. */
export function listTools(world: () => CoreWorld) {
  return {
    follow: (filter?: Partial<ListStreamFilter>, principal?: Principal, service?: JobService) =>
      followIn(world(), filter, principal, service),
    add: (createdAt: number, over?: Partial<Job>) => addIn(world(), createdAt, over),
    change: (job: Pick<Job, 'tenant' | 'id'>, changes?: JobChanges) => changeIn(world(), job, changes),
    /** How often the store was asked for a list, and to listen to one. */
    lists: () => world().store.calls('list'),
    listeners: () => world().store.calls('watchList'),
  };
}

/** Follows a list, and keeps what it is told. */
async function followIn(
  world: CoreWorld,
  filter: Partial<ListStreamFilter> = {},
  principal: Principal = ADA,
  service = world.service,
) {
  const leaving = new AbortController();
  const told: Told[] = [];
  const events: ListEvent[] = [];
  const opened = await world.clock.until(service.streamList(principal, { limit: 3, ...filter }, leaving.signal));
  const reading = (async () => {
    for await (const event of opened.events) {
      events.push(event);
      const jobs = event.jobs.map(({ job }) => `${job.id} ${job.version}`);
      const gone = event.type === 'jobs' ? { gone: event.gone } : {};
      told.push({ type: event.type, jobs, ...gone, atMs: world.clock.monotonicMs() });
    }
  })();
  await world.clock.advance(0);
  return { told, events, leave: () => leaving.abort(), ended: reading };
}

/** Adds a job of Ada's. */
async function addIn(world: CoreWorld, createdAt: number, over: Partial<Job> = {}): Promise<Job> {
  const job = sampleJob({ tenant: ADA.tenant, user: ADA.user, createdAt, ...over });
  await world.store.create(job, { prompt: 'Hello.' });
  return job;
}

/** Changes a job in a way that its readers see. */
async function changeIn(world: CoreWorld, job: Pick<Job, 'tenant' | 'id'>, changes: JobChanges = {}): Promise<void> {
  const found = await world.store.get(job);
  const next = { version: (found?.job.version ?? 0) + 1, ...changes };
  expect(await world.store.update(job, found?.revision ?? '', next)).toHaveProperty('written');
}
