/**
 * The test files, from `test/`, that change what all others in their process share: time, chance, hashes, a global, a module.
 * They run in processes of their own (project `isolated`). After a simulation, which hashes at once, another file counted 614
 * writes where it counts 81.
 */
export const CHANGES_WHAT_IS_SHARED = [
  'surface/issuers.test.ts',
  'surface/client-kept-job.test.ts',
  'unit/firestore-stream.test.ts',
  'unit/simulation.test.ts',
  ...['cancel', 'follower-leaves', 'patience', 'requests', 'stream-ways', 'streaming', 'waiting'].map(
    (name) => `unit/client-${name}.test.ts`,
  ),
];
