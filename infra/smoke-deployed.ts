/** The smoke test of what was just deployed, with an API key of its own that is gone afterwards. */
import { ask, lastLine } from './cloud-commands.ts';
import type { Made } from './deployed.ts';
import { StepError } from './operating.ts';
import { smoke } from './smoke.ts';

/** Throws a sentence at the first step that fails. */
export async function smokeDeployed({ project, url, database, authModes, hasConsole }: Made): Promise<void> {
  const given = process.env.LLM_JOBS_KEY;
  const what = { url, hasConsole, print: console.log };
  const isClosed = authModes.length > 0 && !authModes.includes('none');
  if (!isClosed || given) return smoke({ ...what, key: given || undefined });
  if (!authModes.includes('api-key')) {
    await smoke({ ...what, openOnly: true });
    const modes = authModes.join(',');
    console.log(`Jobs were not tried: AUTH_MODE=${modes} takes no API key. Put a token into LLM_JOBS_KEY to try them.`);
    return;
  }
  const keys = (...words: string[]) =>
    ask('npm', ['run', '-s', 'keys', '--', ...words, '--project', project], {
      ...{ FIRESTORE_DATABASE: database, FIRESTORE_EMULATOR_HOST: '' },
    });
  const made = await keys('create', '--name', 'smoke', '--days', '1');
  const key = made.stdout.trim();
  if (made.code !== 0 || key === '') throw new StepError(`No key could be made: ${lastLine(made.stderr)}`);
  try {
    await smoke({ ...what, key });
  } finally {
    const id = /^Key ([0-9a-f]+) for /m.exec(made.stderr)?.[1];
    if (id !== undefined) await keys('revoke', id);
  }
}
