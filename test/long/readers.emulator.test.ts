/** 500 readers of 500 jobs in one process, two listeners each. */
import { manyReaders } from '../emulator/readers.ts';
import { describeOnEmulators } from '../support/emulators.ts';

describeOnEmulators('readers', () => {
  manyReaders([{ readers: 500, jobs: 500 }]);
});
