/** The programs of `npm run bench`, in their order: what a deployment costs and can, and what takes long at the end. */
export const PROGRAMS: readonly string[] = [
  ...['emulators', 'embedded', 'operations', 'growth', 'readers', 'results', 'batch', 'stream'],
  ...['cold-start', 'start', 'takeover', 'refusals', 'estimates', 'large', 'console'],
];
