/** Many readers in one process; 500 jobs at once are among the long tests, for the emulator takes a minute. */
import { describeOnEmulators } from '../support/emulators.ts';
import { manyReaders } from './readers.ts';

describeOnEmulators('readers', () => {
  manyReaders([
    { readers: 500, jobs: 1 },
    { readers: 100, jobs: 50 },
  ]);
});
