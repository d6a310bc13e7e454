/** `llm-jobs/llm` as a program finds it that has nothing else of ours: built, imported by name, by plain Node. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildLibrary, LIBRARY_FOLDER } from '../../infra/library.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
let folder: string;

const PROGRAM = `
import { executeLlmCall, type LlmCallRequest } from 'llm-jobs/llm';

const request: LlmCallRequest = {
  llm: { prompt: 'Explain quantum computing', llm_model_spec: { model: 'simulated', provider: 'simulated' } },
};
const { response, error } = await executeLlmCall(request, { settings: { simulatedMs: 10 } });
if (response) {
  const tokens: number | undefined = response.total_tokens;
  console.log(\`Response: \${response.message} Tokens: \${tokens}\`);
} else {
  console.log(\`Error: \${error}\`);
}
`;
/** Without its types. */
const PLAIN = PROGRAM.replace(', type LlmCallRequest', '')
  .replace(': LlmCallRequest', '')
  .replace(': number | undefined', '');

beforeAll(async () => {
  await buildLibrary();
  folder = await mkdtemp(join(tmpdir(), 'llm-jobs-program-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules', 'llm-jobs'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'program.ts'), PROGRAM);
  await writeFile(join(folder, 'plain.js'), PLAIN);
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

test('a program of plain JavaScript makes a call', async () => {
  const { stdout } = await run(process.execPath, ['plain.js'], { cwd: folder });
  expect(stdout).toMatch(/^Response: .*Explain quantum computing.* Tokens: \d+\n$/);
});

test('a program of TypeScript has its types, and a mistake is found', async () => {
  const tsc = [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '--ignoreConfig', '--noEmit', '--strict'];
  const options = ['--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', '--types', 'node'];
  const types = ['--typeRoots', join(ROOT, 'node_modules', '@types')];
  const check = (file: string) => run(process.execPath, [...tsc, ...options, ...types, file], { cwd: folder });
  await check('program.ts');
  await writeFile(join(folder, 'wrong.ts'), PROGRAM.replace("prompt: 'Explain", "promt: 'Explain"));
  await expect(check('wrong.ts')).rejects.toMatchObject({ stdout: expect.stringContaining('promt') });
});

test('it holds nothing of stores, queues and servers', async () => {
  const files = (await readdir(LIBRARY_FOLDER)).filter((name) => name.endsWith('.js'));
  const texts = await Promise.all(files.map((name) => readFile(join(LIBRARY_FOLDER, name), 'utf8')));
  expect(texts.length).toBeGreaterThan(1);
  const imported = new Set(
    texts.flatMap((text) => [...text.matchAll(/from "([^./"][^"]*)"/g)].map(([, name]) => name)),
  );
  for (const name of ['libsql', 'hono', '@google-cloud/firestore', '@google-cloud/pubsub', 'redis']) {
    expect(imported).not.toContain(name);
  }
  // What costs time or memory is loaded when it is needed.
  const entry = await readFile(join(LIBRARY_FOLDER, 'llm.js'), 'utf8');
  const atOnce = [...entry.matchAll(/^import .*from "([^./"][^"]*)"/gm)].map(([, name]) => name);
  expect(atOnce.filter((name) => /openai|anthropic|generative-ai|ajv|genai-prices/.test(name ?? ''))).toEqual([]);
});
