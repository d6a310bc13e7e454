/** The report: one page without scripts, of what the programs found. */
import type { Part } from './bench.ts';

export type About = { machine: string; at: Date };

/** A whole HTML page. */
export function reportOf(parts: readonly Part[], about: About): string {
  return `<!doctype html><title>llm-jobs: measured</title><pre>${JSON.stringify({ about, parts }, null, 2)}</pre>`;
}
