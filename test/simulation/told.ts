/** H01–H03 of a run: which jobs tell whom, what their receivers say, and what must hold of what was told. */
import { isTerminal, type Job, type JobState } from '../../shared/core/job.ts';
import { type EventsTopic, NOTICE_TYPES, type Sent, type WebhookSender } from '../../shared/core/notices.ts';
import { NOTICE_TRIES_MOST } from '../../shared/core/outbox-tries.ts';
import { type Clock, sleep } from '../../shared/core/ports.ts';
import { equalOf } from './equal-jobs.ts';
import type { Write } from './invariants.ts';
import type { Chance } from './random.ts';

const ENDS = ['completed', 'failed', 'cancelled'] as const;

/** The webhook of one of the jobs that have one: a third, some of which want to hear of the start, too. */
export function webhookOf(id: string) {
  const digit = Number.parseInt(id.slice(-6, -5), 16);
  if (equalOf(id) !== undefined || digit % 3 > 0) return undefined;
  return { url: 'https://hooks.example.com', events: digit % 2 > 0 ? [...NOTICE_TYPES] : [...ENDS] };
}

/** Whom the jobs of a run tell. */
export type Listeners = {
  webhooks: WebhookSender;
  topic: EventsTopic;
  /** What does not hold when all is over. */
  wrong(jobs: readonly Job[], writes: readonly Write[]): string[];
  calls(): number;
};

type Told = { jobId: string; type: string; version: number; isTaken: boolean };
const OK: Sent = { delivered: true, ms: 5, status: 204 };
const FAILED = { delivered: false, ms: 5, failure: 'status', message: 'It failed.' } as const;

/** `trouble`: how often a receiver fails, 0 to 1. */
export function listeners({ clock, luck, trouble }: { clock: Clock; luck: Chance; trouble: () => number }): Listeners {
  const called: Told[] = [];
  const published: Told[] = [];

  async function answered(): Promise<Sent> {
    if (!luck.happens(trouble())) return OK;
    const slowMs = luck.pick([0, 0, 3_000, 14_000]);
    if (slowMs > 0) await sleep(clock, slowMs);
    return luck.pick<Sent>([
      OK,
      { ...FAILED, status: 500 },
      { ...FAILED, status: 404 },
      { ...FAILED, failure: 'network' },
      { ...FAILED, status: 429, retryAfterMs: 20_000 },
    ]);
  }

  return {
    webhooks: {
      refusalOf: () => undefined,
      secretsOf: () => [],
      async send(_, { body }) {
        const told = { ...read(body), isTaken: false };
        called.push(told);
        const sent = await answered();
        told.isTaken = sent.delivered;
        return sent;
      },
    },
    topic: { publish: async (data) => void published.push({ ...read(data), isTaken: true }) },
    calls: () => called.length,
    wrong: (jobs, writes) => jobs.flatMap((job) => wrongOf(job, writes)),
  };

  function wrongOf(job: Job, writes: readonly Write[]): string[] {
    const { id, webhook, deliveries = [], outbox, deletedAt } = job;
    const own = writes.filter((write) => write.id === id);
    const states = own.filter(({ before, after }) => before?.state !== after.state && after.state !== 'pending');
    const had = states.map(({ after }) => `${typeOf(after.state)} ${after.version}`);
    const say = (what: string) => `H03 ${id}: ${what}`;
    const wrong: string[] = outbox ? [say(`somebody is not told: ${JSON.stringify(outbox)}`)] : [];
    for (const [what, all] of [
      ['webhook', called],
      ['topic', published],
    ] as const) {
      const told = all.filter(({ jobId }) => jobId === id);
      const names = told.map(({ type, version }) => `${type} ${version}`);
      for (const name of names) if (!had.includes(name)) wrong.push(say(`the ${what} was told ${name}`));
      const firsts = told.filter((one, index) => told.findIndex(({ version }) => version === one.version) === index);
      if (firsts.some(({ version }, index) => version < (firsts[index - 1]?.version ?? 0))) {
        wrong.push(say(`the ${what} was told in this order: ${names}`));
      }
      const taken = new Set(told.filter(({ isTaken }) => isTaken).map(({ type, version }) => `${type} ${version}`));
      const isOwed = what === 'topic' ? job.announced : webhook && deletedAt === undefined;
      const isWanted = (name: string) => what === 'topic' || webhook?.events.some((type) => name.startsWith(type));
      for (const name of isOwed ? had.filter(isWanted) : []) {
        // A receiver that takes no start is told the end all the same.
        const isPassed = what === 'webhook' && name.startsWith('started');
        if (!taken.has(name) && !isPassed) wrong.push(say(`the ${what} was not told ${name}, but ${names}`));
      }
    }
    // A redelivery is nobody's wish here.
    const bound = 2 * NOTICE_TRIES_MOST;
    if (deliveries.length > bound) wrong.push(say(`it was tried ${deliveries.length} times`));
    if (webhook && isTerminal(job.state) && deliveries.at(-1)?.failure) wrong.push(say('its last try failed'));
    return wrong;
  }
}

function typeOf(state: JobState): string {
  return state === 'processing' ? 'started' : state;
}

function read(body: string): { jobId: string; type: string; version: number } {
  const { type, data } = JSON.parse(body) as { type: string; data: { job_id: string; version: number } };
  return { jobId: data.job_id, type: type.replace('job.', ''), version: data.version };
}
