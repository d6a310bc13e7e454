/**
 * What must be in no line that any process of a test run writes: keys and tokens by their looks, and words that tests
 * plant where people's own words are. `kept-output.ts` looks for them when the run is over.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A word that was planted: where it was, and which one. */
const PLANTED = /canary-[a-z]+-[0-9a-f]{8}/;
const CANARIES: readonly RegExp[] = [
  PLANTED,
  /llmj_[0-9a-f]{16,}/,
  /\beyJ[\w-]{8,}\.[\w-]+/,
  /\bsk-[\w-]{4,}/,
  /\bAIza[\w-]{4,}/,
  /\bwhsec_[\w+/]{8,}/,
  /\baccess_token=(?!\*)[^\s&"]+/,
  /\bBearer (?!owner\b)[\w.-]{8,}/,
];
const LINE_SHOWN = 300;

export type Leak = { file: string; line: number; canary: string; text: string };

/** A word to plant, such as nobody else writes. `where` is in letters. */
export function plant(where: string): string {
  return `canary-${where}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Every line that holds a canary. */
export function findLeaks(file: string, content: string): Leak[] {
  return content.split('\n').flatMap((text, index) => {
    const canary = CANARIES.map((pattern) => pattern.exec(text)?.[0]).find((found) => found !== undefined);
    return canary === undefined ? [] : [{ file, line: index + 1, canary, text: text.slice(0, LINE_SHOWN) }];
  });
}

/** What the processes of this run wrote so far, by the files in which it is kept. */
export function readKept(folder: string): { file: string; content: string }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((file) => ({ file, content: readFileSync(join(folder, file), 'utf8') }));
}

/** What is wrong with what was kept, in sentences; `isWhole`: of a run in which something must have been kept. */
export function judge(kept: ReturnType<typeof readKept>, isWhole: boolean): string[] {
  const leaks = kept.flatMap(({ file, content }) => findLeaks(file, content));
  const isCaught = kept.some(({ content }) => content.includes('job-submitted'));
  return [
    ...leaks.map(({ file, line, canary, text }) => `${file}, line ${line}, holds ${canary}: ${text}`),
    ...(isWhole && !isCaught ? ['no line of the log was kept: nothing was looked through'] : []),
  ];
}
