/** Which tests there are and what each kind needs; `test/README.md` says it in words. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { CHANGES_WHAT_IS_SHARED } from './support/changes-what-is-shared.ts';

const here = (path: string) => join(import.meta.dirname, path);

function project(
  name: string,
  include: string[],
  options: TestProjectInlineConfiguration['test'] = {},
): TestProjectInlineConfiguration {
  return { extends: true, test: { name, include: include.map((pattern) => here(pattern)), ...options } };
}

const startsPrograms = here('support/programs-setup.ts');
const servesClient = here('support/client-script-setup.ts');
const servesConsole = here('support/console-setup.ts');
const onEmulators = { globalSetup: [startsPrograms, here('support/emulators-setup.ts')], hookTimeout: 90_000 };
/** Minutes of a worker's time, for what others show, too, but not on the emulators. */
const MOSTLY_WAITING = [
  ...['emulator/dead-letters.test.ts', 'emulator/waiting.test.ts', 'scenarios/background.emulator.test.ts'],
  ...['emulator/keys.test.ts', 'emulator/deployed-start.test.ts', 'scenarios/crowds.emulator.test.ts'],
  'emulator/break-it.test.ts',
];
const WITH_PAGES = { hookTimeout: 60_000, testTimeout: 60_000 };
/** Many pages are work: nothing that counts seconds runs beside them. */
const PAGES_LAST = { ...WITH_PAGES, testTimeout: 120_000, maxConcurrency: 5, sequence: { groupOrder: 1 } };
/** Work for one core each, which no clock of theirs notices. */
const WITHOUT_A_CLOCK = [
  'simulation',
  'simulation-faulty',
  'simulation-checker',
  'fuzz',
  'backlog',
  'slots',
  'bench',
].map((name) => `long/${name}.test.ts`);
const hasTerraform = spawnSync('terraform', ['version']).error === undefined;
if (!hasTerraform) console.warn('Left out: test/terraform, for there is no terraform.');
const everyday = [
  project('architecture', ['architecture.test.ts']),
  project(
    'unit',
    [
      'unit/**/*.test.ts',
      'providers/**/*.test.ts',
      'contracts/*.sqlite.test.ts',
      'contracts/*.memory.test.ts',
      'surface/**/*.test.ts',
      'scenarios/*.sqlite.test.ts',
    ],
    // To load the project's modules anew for each file took a third of the time.
    { globalSetup: [servesClient, servesConsole], isolate: false, exclude: CHANGES_WHAT_IS_SHARED.map(here) },
  ),
  project('isolated', CHANGES_WHAT_IS_SHARED, { globalSetup: servesClient }),
  ...(hasTerraform ? [project('terraform', ['terraform/*.test.ts'], { isolate: false })] : []),
  project('embedded', ['embedded/**/*.test.ts'], { globalSetup: startsPrograms, isolate: false }),
  project('browser', ['browser/*.test.ts'], {
    globalSetup: [startsPrograms, here('support/browser-setup.ts')],
    exclude: ['**/*.emulator.test.ts', '**/*.long.test.ts'],
    ...WITH_PAGES,
    // Pages wait side by side.
    maxConcurrency: 14,
  }),
  project('redis', ['contracts/*.redis.test.ts', 'scenarios/*.redis.test.ts'], {
    globalSetup: here('support/redis-setup.ts'),
  }),
  project('emulator', ['emulator/**/*.test.ts', 'scenarios/*.emulator.test.ts'], {
    ...onEmulators,
    exclude: MOSTLY_WAITING.map((pattern) => here(pattern)),
    isolate: false,
    testTimeout: 60_000,
  }),
];
const long = [
  project('long', ['long/*.test.ts'], {
    globalSetup: startsPrograms,
    exclude: ['**/*.emulator.test.ts', ...WITHOUT_A_CLOCK.map(here)],
    testTimeout: 600_000,
    fileParallelism: false,
  }),
  project('long-work', WITHOUT_A_CLOCK, {
    globalSetup: startsPrograms,
    testTimeout: 900_000,
    sequence: { groupOrder: 2 },
  }),
  project('long-browser', ['browser/*.long.test.ts'], {
    globalSetup: [startsPrograms, here('support/browser-setup.ts')],
    ...PAGES_LAST,
  }),
  project('long-browser-emulator', ['browser/*.emulator.test.ts'], { ...onEmulators, ...PAGES_LAST }),
  project(
    'long-emulator',
    ['scenarios/storm.emulator.test.ts', 'emulator/lists.test.ts', ...MOSTLY_WAITING, 'long/*.emulator.test.ts'],
    {
      ...onEmulators,
      testTimeout: 600_000,
    },
  ),
];

/** On a real project, whose name is the only sign that this is wanted. */
const gcp = [
  project('gcp', ['gcp/contracts.test.ts', ...(process.env.GCP_URL ? ['gcp/end-to-end.test.ts'] : [])], {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  }),
];

// Without it Google's clients, here and in the tests, look for the metadata server, and warn; on Google Cloud it has their
// credentials.
const isOnGoogleCloud = process.env.GCP_PROJECT && !process.env.FIRESTORE_EMULATOR_HOST;
if (!isOnGoogleCloud) process.env.METADATA_SERVER_DETECTION = 'none';

export default defineConfig({
  root: here('..'),
  test: {
    projects: process.env.GCP_PROJECT ? gcp : process.env.LONG ? long : everyday,
    testTimeout: 20_000,
    // Much of it is waiting: two workers leave cores idle. The long tests are work.
    maxWorkers: process.env.LONG ? 2 : 3,
    // What processes write is kept, and looked through for what must not be in it.
    globalSetup: here('support/kept-output.ts'),
    // What a passing test logs is of no interest.
    silent: 'passed-only',
  },
});
