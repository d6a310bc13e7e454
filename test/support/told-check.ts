/** What others were told of some jobs, against what became of them. */
import { type HookEvent, type Receipt, readEvent } from './webhook-receiver.ts';

/** A job as its readers see it. `pending`: the events that its outbox holds; absent: none. */
export type Tellable = {
  id: string;
  status: string;
  version: number;
  wasStarted: boolean;
  pending?: readonly string[];
};

/** An event that somebody who subscribed to the topic got. */
export type Published = { id: string; body: string; attributes: { [name: string]: string } };

export type ToldEvidence = {
  jobs: readonly Tellable[];
  receipts: readonly Receipt[];
  /** Absent: there was no topic. */
  published?: readonly Published[];
};

/**
 * What must not be, in sentences: a state that was not told, one that was told and never was, an event with two ids, two
 * bodies or two versions, an older one after a newer one.
 */
export function wrongTold({ jobs, receipts, published }: ToldEvidence): string[] {
  const wrong: string[] = [];
  const known = new Set(jobs.map(({ id }) => id));
  const events = (published ?? []).map(({ id, body }) => ({ id, ...readEvent(body) }));
  for (const { jobId } of [...receipts, ...events]) if (!known.has(jobId)) wrong.push(`${jobId}: nobody submitted it`);
  const receiptsOf = groupBy(receipts);
  const eventsOf = groupBy(events);
  for (const job of jobs) {
    const [received = [], read = []] = [receiptsOf.get(job.id), eventsOf.get(job.id)];
    const delivered = received.filter(({ deliveredPlace }) => deliveredPlace !== undefined);
    const all = [...received, ...read];
    const about = [
      ...missing(job, delivered, 'the webhook'),
      ...(published ? missing(job, read, 'the topic') : []),
      ...all.filter(({ type }) => !statesOf(job).includes(type)).map(({ type }) => `${type} was told, and never was`),
      ...ambiguous(job, all),
      ...disordered(received),
    ];
    wrong.push(...about.map((what) => `${job.id} (${job.status}, version ${job.version}): ${what}`));
  }
  for (const { attributes, body, id } of published ?? []) {
    const { type, data } = JSON.parse(body);
    const said = {
      type,
      status: data.status,
      job_type: data.job_type,
      job_id: data.job_id,
      version: `${data.version}`,
    };
    for (const [name, value] of Object.entries({ ...said, tenant: 'default' }))
      if (attributes[name] !== value) wrong.push(`${id}: its attribute ${name} is ${attributes[name]}, not ${value}`);
  }
  return wrong;
}

/** The events of the states that a job came to. */
function statesOf({ status, wasStarted }: Tellable): string[] {
  const isOver = status !== 'pending' && status !== 'processing';
  return [...(wasStarted ? ['job.started'] : []), ...(isOver ? [`job.${status}`] : [])];
}

function missing(job: Tellable, told: readonly HookEvent[], whom: string): string[] {
  const types = new Set(told.map(({ type }) => type));
  const untold = statesOf(job).filter((type) => !types.has(type) && !job.pending?.includes(type));
  return untold.map((type) => `${type} was not told to ${whom}`);
}

function ambiguous(job: Tellable, all: readonly HookEvent[]): string[] {
  const wrong: string[] = [];
  for (const type of statesOf(job)) {
    const same = all.filter((event) => event.type === type);
    for (const field of ['id', 'body', 'version'] as const) {
      const values = new Set(same.map((event) => event[field]));
      if (values.size > 1) wrong.push(`${type} was told with more than one ${field}: ${[...values].join(', ')}`);
    }
    const isEnd = type === `job.${job.status}`;
    const [{ version } = { version: 0 }] = same;
    if (same.length > 0 && (isEnd ? version !== job.version : version >= job.version)) {
      wrong.push(`${type} was told as version ${version}`);
    }
  }
  return wrong;
}

function disordered(received: readonly Receipt[]): string[] {
  const wrong: string[] = [];
  let newest = 0;
  for (const { type, version, place } of received) {
    const isFirst = !received.some((other) => other.version === version && other.place < place);
    if (isFirst && version < newest) wrong.push(`${type} came first after version ${newest} had come`);
    newest = Math.max(newest, version);
    const later = received.find((other) => other.version > version && (other.deliveredPlace ?? Infinity) < place);
    if (later) wrong.push(`${type} came after ${later.type} had been delivered`);
  }
  return wrong;
}

function groupBy<T extends { jobId: string }>(events: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const event of events) groups.set(event.jobId, [...(groups.get(event.jobId) ?? []), event]);
  return groups;
}
