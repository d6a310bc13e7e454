/**
 * Runs the JavaScript of seed document 000 as it stands in the document. Supplied from outside: the base URL (through
 * `fetch`), `getCsrfToken`, and a real id for the placeholder `model-uuid`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type PatternOutput = { log: unknown[][]; error: unknown[][] };

type AsyncFunction = new (...parts: string[]) => (...values: unknown[]) => Promise<void>;
const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as AsyncFunction;

/** The document's own code, `1` (submit and poll) or `2` (submit and get the result later). */
function codeOf(pattern: 1 | 2, modelId: string): string {
  return readFileSync(join(import.meta.dirname, `pattern-${pattern}.txt`), 'utf8').replaceAll('model-uuid', modelId);
}

/** Pattern 1, until its interval was cleared; answers what it printed. */
export async function runSubmitAndPoll(baseUrl: string, modelId: string): Promise<PatternOutput> {
  const output: PatternOutput = { log: [], error: [] };
  await new Promise<void>((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error('the pattern never stopped polling')), 30_000);
    const clear = (timer: NodeJS.Timeout) => {
      clearInterval(timer);
      clearTimeout(timeout);
      // The pattern prints in the same turn in which it clears its interval.
      setTimeout(resolve, 0);
    };
    run(codeOf(1, modelId), baseUrl, output, clear).catch(reject);
  });
  return output;
}

/** Pattern 2. Its "later" is ours to wait for: the second half runs when `untilDone` says so. */
export async function runSubmitAndGetLater(
  baseUrl: string,
  modelId: string,
  untilDone: (jobId: string) => Promise<unknown>,
): Promise<PatternOutput> {
  const output: PatternOutput = { log: [], error: [] };
  const code = codeOf(2, modelId).replace('// 2. Later', 'await untilDone(jobId);\n// 2. Later');
  await run(code, baseUrl, output, clearInterval, untilDone);
  return output;
}

async function run(
  code: string,
  baseUrl: string,
  output: PatternOutput,
  clear: (timer: NodeJS.Timeout) => void,
  untilDone?: (jobId: string) => Promise<unknown>,
): Promise<void> {
  const pattern = new AsyncFunction('fetch', 'getCsrfToken', 'console', 'clearInterval', 'untilDone', code);
  await pattern(
    (path: string, options?: RequestInit) => fetch(baseUrl + path, options),
    () => 'csrf-token',
    {
      log: (...values: unknown[]) => output.log.push(values),
      error: (...values: unknown[]) => output.error.push(values),
    },
    clear,
    untilDone,
  );
}
