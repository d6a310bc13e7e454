/**
 * The clients of a chaos run. Each submits a job, follows it to its end, and submits the next one, also when an end is
 * long in coming; what gets no answer is repeated under the same key, as the README tells clients to do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { jobIdOf } from '../shared/core/new-job.ts';
import { NOTICE_TYPES } from '../shared/core/notices.ts';
import type { Chance } from '../test/simulation/random.ts';
import type { Ledger, Told, View } from './chaos-ledger.ts';
import { newMark } from './chaos-provider.ts';
import { type ChaosWorld, LOCAL } from './chaos-world.ts';

/** Shares of the jobs that are not a plain POST. */
export type Habits = Record<'puts' | 'messages' | 'streams' | 'cancels' | 'large' | 'webhooks', number>;
export const MANY_HABITS: Habits = {
  ...{ puts: 0.15, messages: 0.15, streams: 0.2, cancels: 0.12, large: 0.05, webhooks: 0.3 },
};
/** Every job is to complete. */
export const NO_CANCELS: Habits = { ...MANY_HABITS, cancels: 0 };

export type LoadOptions = {
  world: Pick<ChaosWorld, 'baseUrl' | 'publish' | 'config' | 'receiver'>;
  ledger: Ledger;
  luck: Chance;
  clients: number;
  habits: Habits;
  /** No more than these are submitted. */
  jobsMost: number;
  /** Aborted when no more jobs are to be submitted; what was submitted is followed all the same. */
  enough: AbortSignal;
  /** Aborted when nobody follows any more. */
  over: AbortSignal;
};

type Plan = { mark: string; via: Told['via']; id: string; body: Record<string, unknown>; cancelAfterMs: number };

/** An answer has to be here within so long, whatever is broken. */
const ANSWER_MS_MOST = 10_000;
const CLIENT_PATIENCE_MS = 25_000;
/** After that a client does something else beside, and looks less often; so many jobs may be waited for like that. */
const PATIENCE_MS = 15_000;
const LATE_SLOWER = 4;
const STRAGGLERS_MOST = 60;
const REPUBLISH_MS = 5_000;
/** How often a client reads one that was over before again. */
const REREAD = 0.3;
const ALL_EVENTS = NOTICE_TYPES.map((type) => `job.${type}`);
/** Some fit into a document, some do not. */
const LARGE_CHARACTERS = 900_000;

/** Runs all clients; resolves when each has followed its last job to the end, or nobody follows any more. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const { world, ledger, luck, clients, habits, jobsMost, enough, over } = options;
  const { baseUrl, config } = world;
  const stragglers = new Set<Promise<void>>();
  let planned = 0;
  const pause = (ms: number) => sleep(ms, undefined, { signal: over }).catch(() => undefined);

  async function client(mine: Chance): Promise<void> {
    // Not all at once.
    await pause(mine.between(0, 1_000));
    while (!enough.aborted && planned < jobsMost) {
      planned += 1;
      const plan = planOf(mine, habits, world.receiver.url);
      const job = plan.via === 'message' ? await publish(plan) : await submit(plan);
      if (job) await followed(follow(job, plan, mine));
      const ended = [...ledger.jobs.values()].filter(({ firstEnd }) => firstEnd !== undefined);
      if (ended.length > 0 && mine.happens(REREAD)) await look(options, mine.pick(ended));
    }
  }

  /** Resolves when the client has done with it, or with waiting. */
  async function followed(following: Promise<void>): Promise<void> {
    stragglers.add(following);
    void following.then(() => stragglers.delete(following));
    await Promise.race(stragglers.size > STRAGGLERS_MOST ? [following] : [following, pause(PATIENCE_MS)]);
  }

  /** Repeats the same request until it is answered. */
  async function submit({ mark, via, id, body }: Plan): Promise<Told | undefined> {
    const isPut = via === 'PUT';
    const path = isPut ? `/api/llm/jobs/${id}/` : '/api/llm/jobs/submit/';
    const headers = { 'Content-Type': 'application/json', ...(isPut ? {} : { 'Idempotency-Key': mark }) };
    while (!over.aborted) {
      const answer = await ask(path, { method: via, headers, body: JSON.stringify(body) });
      if (answer?.status === 202) return ledger.accepted(mark, via, (answer.json as { job_id: string }).job_id);
      if (answer && answer.status !== 503) {
        ledger.complain(`a submit (${via}) was answered ${answer.status} ${answer.text.slice(0, 200)}`);
        return undefined;
      }
      await pause(answer?.retryAfterMs ?? 1_000);
    }
    return undefined;
  }

  /** Publishes until the job is there: a queue that is started again has lost what nobody took in. */
  async function publish({ mark, via, body }: Plan): Promise<Told | undefined> {
    const id = await jobIdOf(LOCAL, { idempotencyKey: mark }, () => crypto.randomUUID());
    while (!over.aborted) {
      await world.publish(config.submissionsTopic, { ...body, idempotency_key: mark });
      for (const untilMs = performance.now() + REPUBLISH_MS; performance.now() < untilMs; ) {
        const answer = await ask(`/api/llm/jobs/${id}/status/`);
        if (answer?.status === 200) return ledger.accepted(mark, via, id);
        await pause(500);
      }
    }
    return undefined;
  }

  async function follow(job: Told, { cancelAfterMs }: Plan, mine: Chance): Promise<void> {
    const cancelAtMs = performance.now() + cancelAfterMs;
    const lateAtMs = performance.now() + PATIENCE_MS;
    // Some poll, some wait for the next change.
    const wait = mine.happens(0.5) ? '?wait=3' : '';
    while (!over.aborted) {
      if (performance.now() >= cancelAtMs && job.cancel === undefined) {
        const answer = await ask(`/api/llm/jobs/${job.id}/cancel/`, { method: 'POST' });
        if (answer?.status === 200) ledger.cancelled(job, answer.json as View);
      }
      if ((await look(options, job, wait)) === 'over') return;
      await pause(mine.between(300, 1_200) * (performance.now() > lateAtMs ? LATE_SLOWER : 1));
    }
  }

  async function ask(path: string, request?: RequestInit) {
    const answer = await call(baseUrl, path, over, request);
    if (answer && answer.ms > ANSWER_MS_MOST) {
      ledger.complain(`${request?.method ?? 'GET'} ${path} was answered after ${Math.round(answer.ms)} ms`);
    }
    if (answer?.status === 503 && answer.retryAfterMs === undefined) {
      ledger.complain(`${request?.method ?? 'GET'} ${path} was answered 503 without Retry-After`);
    }
    return answer;
  }

  await Promise.all(Array.from({ length: clients }, () => client(luck.fork())));
  await Promise.all(stragglers);
}

/** Reads a job as its client does. A job that was accepted is there, whatever happens. */
export async function look(
  { world, ledger, over }: Pick<LoadOptions, 'ledger' | 'over'> & { world: Pick<ChaosWorld, 'baseUrl'> },
  job: Told,
  query = '',
): Promise<'over' | undefined> {
  const answer = await call(world.baseUrl, `/api/llm/jobs/${job.id}/status/${query}`, over);
  if (answer?.status === 200) {
    const view = answer.json as View;
    ledger.saw(job, view, answer.text);
    return view.is_complete ? 'over' : undefined;
  }
  if (answer && answer.status !== 503) ledger.complain(`${job.id}: its status was answered ${answer.status}`);
  return undefined;
}

function planOf(luck: Chance, habits: Habits, hookUrl: string): Plan {
  const mark = newMark(luck);
  const [draw, id] = [luck.next(), luck.uuid()];
  const via = draw < habits.puts ? 'PUT' : draw < habits.puts + habits.messages ? 'message' : 'POST';
  const filler = luck.happens(habits.large) ? ' lorem'.repeat(luck.between(1, LARGE_CHARACTERS / 6)) : '';
  const stream = luck.happens(habits.streams) ? { stream: true } : {};
  const webhook = luck.happens(habits.webhooks) ? { webhook: { url: hookUrl, events: ALL_EVENTS } } : {};
  const input_data = { prompt: `Say something about ${mark}.${filler}` };
  const body = { job_type: 'general_llm_request', model_id: 'gpt-4o-mini', ...stream, ...webhook, input_data };
  return { mark, via, id, body, cancelAfterMs: luck.happens(habits.cancels) ? luck.between(0, 3_000) : Infinity };
}

/** One request; `undefined` when there was no answer. */
async function call(baseUrl: string, path: string, over: AbortSignal, request: RequestInit = {}) {
  const startedMs = performance.now();
  const signal = AbortSignal.any([over, AbortSignal.timeout(CLIENT_PATIENCE_MS)]);
  try {
    const response = await fetch(`${baseUrl}${path}`, { ...request, signal });
    const text = await response.text();
    const retryAfter = response.headers.get('retry-after');
    return {
      status: response.status,
      text,
      json: JSON.parse(text) as unknown,
      retryAfterMs: retryAfter === null ? undefined : Number(retryAfter) * 1_000,
      ms: performance.now() - startedMs,
    };
  } catch {
    return undefined;
  }
}
