/** Keeps what every process of a test run writes, and fails the run when a canary is in it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TestProject } from 'vitest/node';
import { judge, readKept } from './canaries.ts';

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'keep-output.mjs')).href;

export default function setup({ vitest }: TestProject): (() => void) | undefined {
  // Every project has this setup; the first one is it.
  if (process.env.KEPT_OUTPUT) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-output-'));
  process.env.KEPT_OUTPUT = folder;
  // Workers are started with it, and whatever they start.
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${PRELOAD}`.trim();
  const { config } = vitest;
  // Named on the command line; vitest has it, and does not say so in its types.
  const { filenamePattern } = vitest as { filenamePattern?: string[] };
  const isWhole = !filenamePattern && !config.testNamePattern && config.project.length === 0;
  return () => {
    const wrong = judge(readKept(folder), isWhole);
    rmSync(folder, { recursive: true });
    if (wrong.length === 0) return;
    process.exitCode = 1;
    console.error(`\nFAILED: what the processes of this run wrote.\n${wrong.map((line) => `  ${line}`).join('\n')}\n`);
  };
}
