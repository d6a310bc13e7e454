/** What `npm run redrive` says to wrong words, and when a run is worth repeating. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { actOf } from '../../infra/redrive.ts';
import type { Principal } from '../../shared/core/access.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Submission, Submitted } from '../../shared/core/submitting.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import type { Runtime } from '../../shared/runtime.ts';
import { ADA, type CoreWorld, coreWorld, NO_PROVIDERS, NO_RETRY } from '../support/core-world.ts';

test.each([
  [['now'], "'now' is one word too many for redrive"],
  [['--all'], "Unknown option '--all'; redrive takes --tenant, --user, --status"],
  [['--limit'], '--limit'],
  [['--limit', '-1'], /^Option '--limit' argument is ambiguous; redrive takes --tenant/],
  [['--tenant', 'a~b'], '--tenant must be 1 to 64 letters'],
  [['--user', ''], '--user must be 1 to 300 visible characters'],
  [['--status', 'completed'], '--status must be failed or cancelled'],
  [['--code', 'Rate Limited'], '--code must be an error code as jobs show it'],
  [['--status', 'cancelled', '--code', 'auth'], '--code is of failed jobs'],
  [['--tag', ''], '--tag must name a tag'],
  [['--batch', 'b-1'], '--batch must be the id of a batch'],
  [['--after', 'yesterday'], '--after must be a day or a time of it with its zone'],
  [['--before', '2025-01-18T10:15:30'], '--before must be a day or a time of it with its zone'],
  [['--before', '2025-13-41'], '--before must be a day or a time of it with its zone'],
  [['--limit', '0'], '--limit must be a whole number from 1 to 1000000'],
  [['--limit', '1e3'], '--limit must be a whole number from 1 to 1000000'],
  [['--dry-run=yes'], "'--dry-run' does not take an argument"],
])('%j', (words, sentence) => {
  expect(() => actOf(words)).toThrow(sentence);
});

test('every option at once is right', () => {
  const words =
    '--tenant acme --user key:reports --status failed --code rate_limited --type general_llm_request --model gpt-4o';
  const more = `--tag nightly --batch ${crypto.randomUUID()} --after 2025-01-18 --before 2025-01-19T00:00:00.5+01:00 --limit 5`;
  expect(actOf(`${words} ${more} --dry-run --project p`.split(' '))).toMatchObject({ project: 'p' });
  expect(actOf([])).toMatchObject({ project: undefined });
});

let world: CoreWorld | undefined;
afterEach(() => {
  vi.restoreAllMocks();
  world?.close();
  world = undefined;
  process.exitCode = undefined;
});

/** Runs it, and answers what it printed. */
async function run(world: CoreWorld, ...words: string[]) {
  const printed: Record<'log' | 'error', string[]> = { log: [], error: [] };
  for (const name of ['log', 'error'] as const) {
    vi.spyOn(console, name).mockImplementation((line: string) => void printed[name].push(line));
  }
  const models = modelCatalog({ ...NO_PROVIDERS, clock: world.clock });
  const runtime = { service: world.service, models } as unknown as Runtime;
  await world.clock.until(actOf(words).act(runtime, world.log));
  return { out: printed.log, said: printed.error.join('\n'), code: process.exitCode };
}

async function failedJobs(count: number) {
  const made = coreWorld(async function* () {
    yield await Promise.reject(new ServiceError('auth', 'failed by the test'));
  }, NO_RETRY);
  world = made;
  const jobs = [];
  for (let n = 0; n < count; n++) {
    const job = await made.submit(`job ${n}`);
    await made.run(job);
    jobs.push(job);
  }
  return { jobs, world: made };
}

test('a model or a type that there is not is named, before anything is looked for', async () => {
  const { world } = await failedJobs(0);
  await expect(run(world, '--model', 'simulatd')).rejects.toThrow(
    '--model: there is no model simulatd; did you mean simulated?',
  );
  await expect(run(world, '--type', 'other')).rejects.toThrow(/^--type must be one of .*general_llm_request/);
  expect(world.store.calls('list')).toBe(0);
});

describe('of the jobs that there are', () => {
  /** When each was created, by what is peculiar to it. */
  const times = new Map<string, string>();
  const ids = new Map<string, string>();
  const batchId = crypto.randomUUID();

  async function manyKinds() {
    const { world } = await failedJobs(0);
    const gpt4 = modelCatalog({ ...NO_PROVIDERS, clock: world.clock }).find('gpt-4')?.id ?? '';
    const bob: Principal = { ...ADA, user: 'bob' };
    const of = (more: Partial<Submission>, by = ADA) =>
      world.service.submit(by, { jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'x' }, ...more });
    const make: Record<string, () => Promise<Submitted>> = {
      plain: () => of({}),
      bob: () => of({}, bob),
      cancelled: () => of({}),
      batch: () => of({ batchId }),
      type: () => of({ jobType: 'structured_extraction', input: { text: 'x' } }),
      model: () => of({}),
      empty: () => of({ store: false }),
    };
    for (const [kind, submit] of Object.entries(make)) {
      await world.clock.advance(1_000);
      const { job } = await submit();
      ids.set(kind, job.id);
      times.set(kind, new Date(job.createdAt).toISOString());
      if (kind === 'cancelled') await world.service.cancel(ADA, job.id);
      else expect(await world.clock.until(world.run(job))).toEqual({ finished: 'failed' });
      const { revision = '' } = (await world.store.get(job)) ?? {};
      // No other model can be called here.
      if (kind === 'model') await world.store.update(job, revision, { model: { ...job.model, id: gpt4 } });
      if (kind === 'empty') await world.store.update(job, revision, { payloadsExpireAt: job.createdAt });
    }
    return world;
  }

  test.each([
    ['', 'plain bob batch type model'],
    ['--user bob', 'bob'],
    ['--status cancelled', 'cancelled'],
    ['--batch BATCH', 'batch'],
    ['--type structured_extraction', 'type'],
    ['--model gpt-4', 'model'],
    ['--code auth', 'plain bob batch type model'],
    ['--code rate_limited', ''],
    ['--before @bob', 'plain'],
    ['--after @batch', 'type model'],
    ['--after @plain --before @type', 'bob batch'],
    ['--limit 2', 'type model'],
    ['--tenant other', ''],
  ])('%s names: %s', async (words, kinds) => {
    const world = await manyKinds();
    const given = words.replace('BATCH', batchId).replaceAll(/@(\w+)/g, (_, kind) => times.get(kind) ?? '');
    const { out, said } = await run(world, '--dry-run', ...given.split(' ').filter(Boolean));
    const named = kinds.split(' ').filter(Boolean);
    const found = out.slice(1).map((line) => [...ids].find(([, id]) => line.startsWith(id))?.[0]);
    expect(found.toReversed()).toEqual(named);
    // The newest of all; whose message was removed has the same code as before.
    expect(said.includes('1 without their input')).toBe(/^$|--code auth|--after @batch|--limit/.test(words));
  });
});

test('more of them than fit on a page are all redriven', async () => {
  const { jobs, world } = await failedJobs(205);
  const { said, out } = await run(world);
  expect(said).toBe('205 jobs redriven.');
  expect(out.map((line) => line.split(' ')[0]).sort()).toEqual(jobs.map(({ id }) => id).sort());
});

test('what could not be done is counted by its reason; worth repeating, it ends with 1, and the repeat does the rest', async () => {
  const { jobs, world } = await failedJobs(4);
  world.store.fail('create', 'before', { times: 2 });
  const first = await run(world);
  expect(world.store.fired('before')).toBe(2);
  expect(first.code).toBe(1);
  expect(first.said).toBe(
    '2 jobs redriven.\n2 jobs could not be redriven: store_unavailable.\nRun it again for those: what was redriven stays as it is.',
  );
  process.exitCode = undefined;
  const second = await run(world);
  expect([second.said, second.code]).toEqual(['2 jobs redriven, 2 redriven before.', undefined]);
  const all = await world.store.list({ tenant: 'default', limit: 100, offset: 0 });
  expect(all.flatMap(({ job }) => job.redriveOf ?? []).sort()).toEqual(jobs.map(({ id }) => id).sort());
});

test('what is in vain is no reason to repeat it', async () => {
  const { jobs, world } = await failedJobs(1);
  const [job] = jobs;
  if (!job) throw new Error('there is no job');
  world.store.before('getWithInput', () =>
    world.service.remove({ tenant: 'default', user: 'ada', scopes: [] }, job.id),
  );
  const { said, code, out } = await run(world);
  expect([said, code]).toEqual(['0 jobs redriven.\n1 job could not be redriven: job_not_found.', undefined]);
  expect(out).toEqual([`${job.id} - job_not_found`]);
});

test('a store that says nothing is not asked for all the rest', async () => {
  const { world } = await failedJobs(40);
  world.store.fail('getWithInput', 'hang', { times: 1_000 });
  const { said, code } = await run(world);
  expect(code).toBe(1);
  const [, refused, untried] =
    /(\d+) jobs could not be redriven: store_unavailable\.\n(\d+) jobs not tried/.exec(said) ?? [];
  expect(Number(refused) + Number(untried)).toBe(40);
  expect(Number(refused)).toBeLessThanOrEqual(20);
  expect(world.store.fired('hang')).toBe(Number(refused));
});
