/** Defaults that seed 003 names. */

/** The vendors' own, when a request leaves the temperature out. */
export const DEFAULT_TEMPERATURE = 1.0;
export const DEFAULT_TOP_P = 1.0;
/** How many passages a file search brings. */
export const DEFAULT_MAX_RESULTS = 20;
