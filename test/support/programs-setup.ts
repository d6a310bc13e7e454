/** Bundles the programs that the tests of a project start. */
export { bundlePrograms as default } from './programs.ts';
