/** I13: two tenants, and two users of one, who do the same things at once, and share nothing. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { readConfig } from '../../shared/config.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { JobKey } from '../../shared/core/job.ts';
import type { ModelCatalog } from '../../shared/core/llm.ts';
import type { Log } from '../../shared/core/ports.ts';
import type { JobService } from '../../shared/core/service.ts';
import { noLimits } from '../../shared/http/limits.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { callsOf } from '../support/app.ts';

export type WalledWorld = {
  service: JobService;
  models: ModelCatalog;
  log: Log;
  /** Runs a job to its end. */
  run?: (key: JobKey) => Promise<unknown>;
  /** Lets what waits come to its end. */
  until: <T>(promise: Promise<T>) => Promise<T>;
  close(): void | Promise<void>;
};

const scopes = ['jobs:read', 'jobs:write'] as const;
/** The third one has the name of the first, elsewhere. */
const WHO: readonly Principal[] = [
  { tenant: 'acme', user: 'ada', scopes },
  { tenant: 'acme', user: 'bob', scopes },
  { tenant: 'umbrella', user: 'ada', scopes },
];
const canaryOf = (who: number) => `canary-${'abc'[who]}`;

const IDS = ['0b5e4c1e-7a0e-4b7e-9d52-3f1f3c9a1d01', '0b5e4c1e-7a0e-4b7e-9d52-3f1f3c9a1d02'] as const;
const KEYS = ['one', 'two'];
const ACTS = ['submit', 'keyed', 'put', 'batch', 'list', 'ids', 'cursor', 'batch-read'] as const;
const OF_A_JOB = [
  ...(['status', 'result', 'stream', 'cancel', 'retry', 'deliveries', 'redeliver', 'delete', 'run'] as const),
];
const who = fc.nat({ max: WHO.length - 1 });
const act = fc.record({ who, act: fc.constantFrom(...ACTS, ...OF_A_JOB), pick: fc.nat({ max: 1_000 }) });
export type Act = { who: number; act: (typeof ACTS)[number] | (typeof OF_A_JOB)[number]; pick: number };

/** Checks that nobody is ever told anything of another one. */
export async function checkWalls(open: () => Promise<WalledWorld>, numRuns: number): Promise<number> {
  let answers = 0;
  const property = fc.asyncProperty(fc.array(act, { minLength: 10, maxLength: 40 }), async (acts) => {
    const world = await open();
    try {
      answers += await play(world, acts);
    } finally {
      await world.close();
    }
  });
  await fc.assert(property, { numRuns });
  return answers;
}

type Known = { id: string; who: number; batchId?: string | undefined; isDeleted: boolean };

/** Plays the acts, and answers how many answers were looked at. */
async function play(world: WalledWorld, acts: readonly Act[]): Promise<number> {
  const { service, models, log } = world;
  const authenticate = async (request: Request) => ({
    principal: WHO[Number(request.headers.get('x-who'))] as Principal,
  });
  const config = readConfig({});
  const app = publicApp(
    { service, models, log, config, authenticate, limits: noLimits, jobTokens: undefined },
    EVERYTHING,
  );
  const { send } = callsOf(app);
  const known: Known[] = [];
  const cursors: { text: string; who: number }[] = [];
  let answers = 0;

  /** A document is of a tenant: what two tenants call the same is two jobs. */
  const held = (id: string, by: number) =>
    known.find((job) => job.id === id && WHO[job.who]?.tenant === WHO[by]?.tenant);
  const found = (id: string, by: number) => known.find((job) => job.id === id && job.who === by && !job.isDeleted);
  const own = (by: number) => known.filter((job) => job.who === by && !job.isDeleted);
  const learn = (id: string, by: number, batchId?: string) => {
    const before = held(id, by);
    expect([id, before?.who ?? by]).toEqual([id, by]);
    if (!before) known.push({ id, who: by, batchId, isDeleted: false });
  };

  async function ask(by: number, method: string, path: string, body?: unknown, more: Record<string, string> = {}) {
    const headers = { 'X-Who': `${by}`, ...(body ? { 'Content-Type': 'application/json' } : {}), ...more };
    const url = `/api/llm/jobs/${path}`;
    if (path.endsWith('/stream/')) {
      const response = await world.until(Promise.resolve(app.request(url, { headers })));
      const reader = response.body?.getReader();
      let text = '';
      // A refusal is one part; a stream says at first when to come back, and then what the job is.
      for (let parts = 0; reader && parts < 3 && !/data:|"success"/.test(text); parts++) {
        text += Buffer.from((await world.until(reader.read())).value ?? []).toString();
      }
      await reader?.cancel();
      expect(text).toContain(response.status === 200 ? canaryOf(by) : '"success":false');
      return check(by, response.status, { text });
    }
    const reply = await send(method, url, { headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    return check(by, reply.status, reply.body);
  }

  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests ask
  function check(by: number, status: number, body: any) {
    answers += 1;
    const text = JSON.stringify(body);
    for (const other of WHO.keys()) if (other !== by) expect(text).not.toContain(canaryOf(other));
    expect(status).toBeLessThan(500);
    return { status, body };
  }

  const submission = (by: number) => ({
    ...{ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'The same for all.' } },
    ...{ tags: ['shared'], metadata: { note: canaryOf(by) } },
  });

  for (const { who: by, act: what, pick } of acts) {
    const key = KEYS[pick % 2] as string;
    const anybodys = known[pick % Math.max(1, known.length)]?.id ?? (IDS[0] as string);
    if (what === 'submit') learn((await ask(by, 'POST', 'submit/', submission(by))).body.job_id, by);
    else if (what === 'keyed') {
      const { status, body } = await ask(by, 'POST', 'submit/', submission(by), { 'Idempotency-Key': key });
      if (status === 202) learn(body.job_id, by);
      // Their own, which they deleted.
      else
        expect([status, body.code, known.some((job) => job.who === by && job.isDeleted)]).toEqual([
          409,
          'job_id_taken',
          true,
        ]);
    } else if (what === 'put') {
      const id = IDS[pick % 2] as string;
      const before = held(id, by);
      const { status, body } = await ask(by, 'PUT', `${id}/`, submission(by));
      const isTaken = before !== undefined && (before.who !== by || before.isDeleted);
      expect([what, status, body.code]).toEqual([what, isTaken ? 409 : 202, isTaken ? 'job_id_taken' : undefined]);
      if (isTaken) expect(Object.keys(body).sort()).toEqual(['code', 'error', 'request_id', 'success']);
      else learn(id, by);
    } else if (what === 'batch') {
      const jobs = [submission(by), submission(by)];
      const { body } = await ask(by, 'POST', 'batch/', { jobs }, { 'Idempotency-Key': key });
      for (const item of body.items) if (item.success) learn(item.job_id, by, body.batch_id);
    } else if (what === 'list') {
      const { body } = await ask(by, 'GET', `?limit=100${pick % 2 ? '&tag=shared' : ''}`);
      const ids = body.jobs.map((job: { job_id: string }) => job.job_id).sort();
      expect(ids).toEqual(
        own(by)
          .map(({ id }) => id)
          .sort(),
      );
    } else if (what === 'ids') {
      const ids = [...new Set([...known.map(({ id }) => id), ...IDS])].slice(0, 50);
      const { body } = await ask(by, 'GET', `?ids=${ids.join(',')}`);
      const ids_ = body.jobs.map((job: { job_id: string }) => job.job_id);
      expect(ids_).toEqual(ids.filter((id) => found(id, by)));
    } else if (what === 'cursor') {
      const { body } = await ask(by, 'GET', '?limit=1');
      if (body.next_cursor) cursors.push({ text: body.next_cursor, who: by });
      const cursor = cursors[pick % Math.max(1, cursors.length)];
      if (cursor)
        expect((await ask(by, 'GET', `?limit=1&cursor=${cursor.text}`)).status).toBe(cursor.who === by ? 200 : 400);
    } else if (what === 'batch-read') {
      const batchIds = known.flatMap(({ batchId }) => batchId ?? []);
      const batchId = batchIds[pick % Math.max(1, batchIds.length)] ?? IDS[0];
      const { status, body } = await ask(by, 'GET', `batch/${batchId}/`);
      const mine = own(by).filter((job) => job.batchId === batchId).length;
      expect([status, body.total]).toEqual(mine > 0 ? [200, mine] : [404, undefined]);
    } else if (what === 'run') {
      await world.run?.({ tenant: WHO[by]?.tenant ?? '', id: anybodys });
    } else {
      const methods = { cancel: 'POST', retry: 'POST', redeliver: 'POST', delete: 'DELETE' } as Record<string, string>;
      const path = what === 'delete' ? `${anybodys}/` : `${anybodys}/${what}/`;
      const mine = found(anybodys, by);
      const { status, body } = await ask(by, methods[what] ?? 'GET', path);
      expect([what, status === 404]).toEqual([what, mine === undefined]);
      if (what === 'retry' && status === 202) learn(body.job_id, by);
      if (what === 'delete' && mine) mine.isDeleted = true;
    }
  }
  return answers;
}
