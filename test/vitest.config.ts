/** Which tests there are and what each kind needs; `test/README.md` says it in words. */
import { join } from 'node:path';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

const here = (path: string) => join(import.meta.dirname, path);

function project(
  name: string,
  include: string[],
  options: TestProjectInlineConfiguration['test'] = {},
): TestProjectInlineConfiguration {
  return { extends: true, test: { name, include: include.map((pattern) => here(pattern)), ...options } };
}

const startsPrograms = here('support/programs-setup.ts');
const onEmulators = { globalSetup: [startsPrograms, here('support/emulators-setup.ts')], hookTimeout: 90_000 };
/** Spies on a module that all others share. */
const REPLACES_MODULES = 'surface/issuers.test.ts';
/** Minutes of a worker's time, for what others show, too, but not on the emulators. */
const MOSTLY_WAITING = ['emulator/dead-letters.test.ts', 'browser/*.emulator.test.ts'];
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
    { isolate: false, exclude: [here(REPLACES_MODULES)] },
  ),
  project('mocked', [REPLACES_MODULES]),
  project('embedded', ['embedded/**/*.test.ts'], { globalSetup: startsPrograms, isolate: false }),
  project('browser', ['browser/*.test.ts'], {
    globalSetup: [startsPrograms, here('support/browser-setup.ts')],
    exclude: ['**/*.emulator.test.ts'],
    hookTimeout: 60_000,
    testTimeout: 60_000,
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
    exclude: ['**/*.emulator.test.ts'],
    testTimeout: 600_000,
    fileParallelism: false,
  }),
  project(
    'long-emulator',
    [
      ...['scenarios/storm.emulator.test.ts', 'scenarios/crowds.emulator.test.ts', 'emulator/lists.test.ts'],
      ...MOSTLY_WAITING,
      'long/*.emulator.test.ts',
    ],
    {
      ...onEmulators,
      testTimeout: 600_000,
    },
  ),
];

export default defineConfig({
  root: here('..'),
  test: {
    projects: process.env.LONG ? long : everyday,
    testTimeout: 20_000,
    // Much of it is waiting: two workers leave cores idle. The long tests are work.
    maxWorkers: process.env.LONG ? 2 : 3,
    // What processes write is kept, and looked through for what must not be in it.
    globalSetup: here('support/kept-output.ts'),
    // What a passing test logs is of no interest.
    silent: 'passed-only',
    // Without it Google's clients look for the metadata server, and warn.
    env: { METADATA_SERVER_DETECTION: 'none' },
  },
});
