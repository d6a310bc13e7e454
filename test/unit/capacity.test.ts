/** `npm run capacity`: its figures against sums made by hand from what was counted on the wire, and what it says to wrong words. */
import { describe, expect, test } from 'vitest';
import { questionOf } from '../../infra/capacity.ts';
import { atRest, costsOfMillion, freeOf, monthly, operationsOf, total } from '../../infra/capacity-costs.ts';
import { quotasOf } from '../../infra/capacity-quotas.ts';
import functions from '../../infra/functions.json' with { type: 'json' };

const ask = (words: string) => questionOf(words.split(' '));
const costsOf = (words: string) => {
  const { load, service } = ask(words);
  return costsOfMillion(load, service);
};

/** A message: at least a KiB, published and delivered, at $40 a TiB. */
const MESSAGE = (2 * 1_024 * 40) / 2 ** 40;
/** A worker's second, with a CPU and two GiB. */
const SECOND = 0.000_024 + 2 * 0.000_002_5;
/** 8 KiB for 31 days, at 15 cents a GiB and 30 days. */
const STORED = ((8 * 1_024) / 2 ** 30) * 0.15 * (31 / 30);

describe('a million jobs', () => {
  test('of 60 s, plain: as the sum made by hand', () => {
    const words = '--jobs-per-day 1000000 --llm-seconds 60 --concurrency 80';
    // Create, claim, finish, and heartbeats at 20 and 40 s; the claim's look, and four polls; the document goes by TTL.
    expect(operationsOf(ask(words).load)).toMatchObject({ writes: 3 + 2, reads: 1 + 4, deletes: 1, messages: 1 });
    const costs = costsOf(words);
    expect(costs.firestore).toBeCloseTo(0.9 * 5 + 0.3 * 5 + 0.1 * 1, 9);
    expect(costs.pubsub).toBeCloseTo(1e6 * MESSAGE, 9);
    expect(costs.run).toBeCloseTo(1e6 * (60 / 80) * SECOND, 9);
    // The submit, four polls, the push.
    expect(costs.requests).toBeCloseTo(0.4 * (1 + 4 + 1), 9);
    expect(costs.storage).toBeCloseTo(1e6 * STORED, 9);
    expect(total(costs)).toBeCloseTo(6.1 + 0.0745 + 21.75 + 2.4 + 1.1826, 3);
  });

  test('over before the first heartbeat: three writes, a read and a message', () => {
    const words = '--jobs-per-day 1000000 --llm-seconds 20 --polls 0';
    expect(operationsOf(ask(words).load)).toMatchObject({ writes: 3, reads: 1, queries: 0, messages: 1, requests: 2 });
    expect(costsOf(words).firestore).toBeCloseTo(0.9 * 3 + 0.3 + 0.1, 9);
  });

  test('one at a time: the worker waits for each of them alone', () => {
    const { run } = costsOf('--jobs-per-day 1000000 --llm-seconds 60 --concurrency 1');
    expect(run).toBeCloseTo(1e6 * 60 * SECOND, 9);
    expect(run).toBeCloseTo(1_740, 3);
  });

  test('streamed for 10 s: a write, a read and a delete each 250 ms', () => {
    const words = '--jobs-per-day 1000000 --llm-seconds 15 --streamed --polls 0';
    expect(operationsOf(ask(words).load)).toMatchObject({
      writes: 3 + 40,
      reads: 1 + 40,
      deletes: 1 + 40,
      requests: 3,
    });
    expect(costsOf(words).firestore).toBeCloseTo(0.9 * 43 + 0.3 * 41 + 0.1 * 41, 9);
  });

  test('with all that a job can have beside: what each of it was counted as', () => {
    const words = '--jobs-per-day 1000000 --llm-seconds 5 --polls 0 --limited --cached --events 2 --attempts 1.5';
    expect(operationsOf(ask(words).load)).toMatchObject({
      writes: 3 + 2 + 1 + 2 * 2 + 0.5,
      reads: 1 + 2 + 1 + 2 * 1,
      ...{ queries: 1, deletes: 1, messages: 1 + 2, requests: 1 + 3 },
    });
    const costs = costsOf(words);
    expect(costs.firestore).toBeCloseTo(0.9 * 10.5 + 0.3 * 7 + 0.1, 9);
    expect(costs.pubsub).toBeCloseTo(3e6 * MESSAGE, 9);
  });

  test('in nam5 Firestore costs twice as much', () => {
    const words = '--jobs-per-day 1000000 --llm-seconds 60';
    expect(costsOf(`${words} --region nam5`).firestore).toBeCloseTo(2 * costsOf(words).firestore, 9);
  });
});

describe('a month', () => {
  test('without a job: an instance that is kept, and a sweep each minute', () => {
    const { service } = ask('--jobs-per-day 1 --llm-seconds 1 --min-instances 1');
    const month = 30 * 86_400;
    expect(atRest(service, 'us-central1')).toBeCloseTo(
      month * (0.000_002_5 + 2 * 0.000_002_5) + ((30 * 1_440) / 1e6) * 0.4,
      9,
    );
    expect(atRest({ ...service, instancesLeast: 0 }, 'us-central1')).toBeCloseTo(0.043_2 * 0.4, 9);
  });

  test('of a million jobs a day: thirty millions, less what is free', () => {
    const { load, service } = ask('--jobs-per-day 1000000 --llm-seconds 60');
    const free = 30 * (0.02 * 0.9 + 0.05 * 0.3) + 10 * 2 ** 30 * (40 / 2 ** 40);
    expect(freeOf(load)).toBeCloseTo(free, 9);
    const all = 30 * total(costsOfMillion(load, service)) - free + atRest(service, 'us-central1');
    expect(monthly(load, service)).toBeCloseTo(all, 9);
  });

  test('of a few jobs a day: no more is free than is used', () => {
    const { load } = ask('--jobs-per-day 100 --llm-seconds 10 --polls 4');
    const used = (30 * 100 * (3 * 0.9 + 5 * 0.3)) / 1e6 + 30 * 100 * MESSAGE;
    expect(freeOf(load)).toBeCloseTo(used, 12);
  });
});

test('without a word, the workers are those that are deployed', () => {
  const { service } = ask('--jobs-per-day 1 --llm-seconds 1');
  const { cpu, memory, concurrency, max_instances: instancesMost } = functions.worker;
  expect(service).toEqual({ concurrency, instancesLeast: 0, instancesMost, vcpu: Number(cpu), gib: 2 });
  expect(memory).toBe('2Gi');
});

test('quotas: what is used at the peak of what there is, the nearest first', () => {
  const { load, service, peak } = ask('--jobs-per-day 1000000 --llm-seconds 60 --instances 40');
  const quotas = quotasOf(load, service, { requestsPerMinute: 10_000 }, peak);
  const jobs = (1e6 / 86_400) * 5;
  expect(quotas.map(({ what, used, most }) => [what, Number(used.toFixed(3)), most])).toEqual([
    ['jobs under way in all workers', 3_472.222, 40 * 50],
    ['messages out at once, pushed in a region', Number((jobs * 60).toFixed(3)), 3_000],
    ['writes a second to a database at its start', Number((jobs * 5).toFixed(3)), 500],
    ['calls a minute to the provider', Number((jobs * 60).toFixed(3)), 10_000],
    ["writes a second to one tenant's indexes", Number((jobs * 3).toFixed(3)), 500],
    ["writes a second to the sweeper's index", Number((jobs * 5).toFixed(3)), 8_000],
  ]);
  const limited = quotasOf({ ...load, isLimited: true }, service, { requestsPerMinute: 10_000 }, peak);
  expect(limited.map(({ what }) => what)).toContain("writes a second to a tenant's slots");
  for (const { share, used, most, raise } of limited) expect([share, raise !== '']).toEqual([used / most, true]);
});

test.each([
  ['', '--jobs-per-day is missing.'],
  ['--jobs-per-day 5', '--llm-seconds is missing.'],
  ['--jobs-per-day many --llm-seconds 5', "--jobs-per-day must be a number from 1 to 1000000000; it is 'many'."],
  ['--jobs-per-day 0 --llm-seconds 5', '--jobs-per-day must be a number from 1 to'],
  ['--jobs-per-day 1e6 --llm-seconds 5', "it is '1e6'"],
  ['--jobs-per-day 5 --llm-seconds 5 --concurrency 2000', '--concurrency must be a number from 1 to 1000'],
  ['--jobs-per-day 5 --llm-seconds 5 --concurrency 1.5', '--concurrency must be a whole number from 1 to 1000'],
  ['--jobs-per-day 5 --llm-seconds 5 --region mars', "--region must be one of: us-central1, nam5; it is 'mars'."],
  ['--jobs-per-day 5 --llm-seconds 5 --text-seconds 5', '--text-seconds is of streamed jobs'],
  [
    '--jobs-per-day 5 --llm-seconds 5 --streamed --text-seconds 6',
    '--text-seconds must not be more than --llm-seconds',
  ],
  ['--jobs-per-day 5 --llm-seconds 5 --vcpu 0.5', '--vcpu must be 1 at least, or --concurrency 1'],
  ['--jobs-per-day 5 --llm-seconds 5 --fast', "Unknown option '--fast'; capacity takes --jobs-per-day"],
  ['--jobs-per-day 5 --llm-seconds 5 now', "'now' is one word too many for capacity"],
])('%j: %s', (words, sentence) => {
  expect(() => questionOf(words.split(' ').filter(Boolean))).toThrow(sentence);
});
