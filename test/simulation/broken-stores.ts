/** Stores that are wrong, each in one way, and what the simulation must find of it. */
import { isTerminal, type JobChanges } from '../../shared/core/job.ts';
import type { JobStore } from '../../shared/core/ports.ts';
import { ALL_MODELS } from '../../shared/core/slots.ts';
import { type SimulationOptions, virtualPace } from './simulate.ts';

/** `where`: what else it is run with, where it shows seldom in runs as they are. */
export type BrokenStore = [
  what: string,
  rules: string[],
  brokenStore: (store: JobStore) => JobStore,
  where?: () => Partial<SimulationOptions>,
];

/** All jobs at once for two slots, where much fails: whoever takes a slot is not the only one. */
const crowd = (): Partial<SimulationOptions> => ({
  ...{ jobs: 16, faultRate: 0.2, running: new Map([[ALL_MODELS, 2]]) },
  pace: { ...virtualPace(), submitsWithinMs: 5, troubledMs: 30_000, patienceMs: 60_000, quietMs: 0 },
});

/** A store that does something else than it was asked to. */
const changing = (change: (changes: JobChanges) => JobChanges) => (store: JobStore) => ({
  ...store,
  update: (...[key, revision, changes, options]: Parameters<JobStore['update']>) =>
    store.update(key, revision, change(changes), options),
});
const unfenced = (store: JobStore): JobStore => ({
  ...store,
  async update(key, _, changes, options) {
    const found = await store.get(key);
    return found ? store.update(key, found.revision, changes, options) : { refused: 'missing' };
  },
});

export const BROKEN_STORES: readonly BrokenStore[] = [
  ['a store that does not fence', ['I1', 'I2', 'I8'], unfenced, () => ({ faultRate: 0.2 })],
  [
    'a sweeper that never sees some jobs',
    ['I3'],
    (store) => ({ ...store, due: async (...asked) => (await store.due(...asked)).slice(1) }),
  ],
  [
    'a call that is not recorded',
    ['I4'],
    changing((changes) => (changes.token && changes.attempts ? { ...changes, attempts: [] } : changes)),
  ],
  [
    'an attempt without an end',
    ['I9'],
    changing(({ attempts, ...changes }) => ({
      ...changes,
      ...(attempts ? { attempts: attempts.map(({ endedAt: _, ...attempt }) => attempt) } : {}),
    })),
  ],
  [
    'a delete that leaves the input',
    ['I12'],
    (store) => ({ ...store, update: (key, revision, changes) => store.update(key, revision, changes) }),
  ],
  [
    'a result that comes back after its delete',
    ['I12'],
    changing((changes) => (changes.state === 'cancelled' ? { ...changes, result: 'r' } : changes)),
  ],
  [
    'slots that are taken however the others are',
    ['I7'],
    (store) => ({
      ...store,
      async update(key, revision, changes, options = {}) {
        const { slot } = options;
        const seen = slot && 'take' in slot ? await store.slots(key.tenant) : undefined;
        return store.update(key, revision, changes, seen ? { ...options, slot: { ...slot, seen } as never } : options);
      },
    }),
    crowd,
  ],
  [
    'a look that sees nobody run',
    ['I7'],
    (store) => ({ ...store, slots: async (tenant) => ({ ...(await store.slots(tenant)), running: {} }) }),
  ],
  [
    'a slot that is not given back',
    ['I7'],
    changing((changes) =>
      changes.state ? Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) : changes,
    ),
  ],
  [
    'a removal that leaves the input',
    ['I12'],
    (store) => ({
      ...store,
      update: (key, revision, changes, { dropInput = false } = {}) =>
        store.update(key, revision, changes, { dropInput: dropInput && changes.payloadsRemovedAt === undefined }),
    }),
  ],
  [
    'a sweeper that does not see what is over',
    ['I14'],
    (store) => ({
      ...store,
      due: async (...asked) => (await store.due(...asked)).filter(({ job }) => !isTerminal(job.state)),
    }),
  ],
  ['a hold that is not settled', ['I6'], changing(({ settled: _, ...changes }) => changes)],
  [
    'a hold that no account knows of',
    ['I6'],
    (store) => ({
      ...store,
      update: (key, revision, changes, { account: _, ...options } = {}) =>
        store.update(key, revision, changes, options),
    }),
  ],
  [
    'a job that reserves with each claim',
    ['I6'],
    (store) => ({
      ...store,
      async getWithInput(key) {
        const found = await store.getWithInput(key);
        if (!found) return found;
        const { hold: _, ...job } = found.job;
        return { ...found, job };
      },
    }),
  ],
  [
    'a job that is made of another, which does not know',
    ['R08'],
    (store) => ({ ...store, create: (job, input) => store.create(job, input) }),
  ],
  [
    'an end that nobody is told',
    ['H03'],
    changing((changes) => (changes.state && 'outbox' in changes ? { ...changes, outbox: undefined } : changes)),
  ],
  ['a cancel that is forgotten', ['I10'], changing(({ cancelRequestedAt: _, ...changes }) => changes)],
  [
    'a wait that is cut short',
    ['P01'],
    changing((changes) =>
      changes.nextAttemptAt ? { ...changes, nextAttemptAt: changes.nextAttemptAt - 10_000 } : changes,
    ),
  ],
];
