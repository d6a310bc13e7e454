/** The library as a program finds it that has nothing else of ours: built, imported by name, by plain Node. */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asClient, asReact } from '../../functions/console/copy/texts.ts';
import { buildLibrary } from '../../infra/library.ts';
import { listen } from '../../infra/listen.ts';
import manifest from '../../package.json' with { type: 'json' };
import type { Submission } from '../../shared/client/client.ts';
import { openApp } from '../support/app.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
let folder: string;
/** The package, in the program's `node_modules`. */
let installed: string;

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
  folder = await mkdtemp(join(tmpdir(), 'llm-jobs-program-'));
  installed = join(folder, 'node_modules', 'llm-jobs');
  await buildLibrary(join(installed, 'dist'));
  await copyFile(join(ROOT, 'package.json'), join(installed, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  for (const name of ['@types', 'react']) {
    await symlink(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'program.ts'), PROGRAM);
  await writeFile(join(folder, 'plain.js'), PLAIN);
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

test('a program of plain JavaScript makes a call', async () => {
  const { stdout } = await run(process.execPath, ['plain.js'], { cwd: folder });
  expect(stdout).toMatch(/^Response: .*Explain quantum computing.* Tokens: \d+\n$/);
});

/** Rejects where a program has a mistake. */
function check(...files: string[]) {
  const tsc = [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '--ignoreConfig', '--noEmit', '--strict'];
  const options = ['--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', '--types', 'node'];
  return run(process.execPath, [...tsc, ...options, '--jsx', 'react-jsx', ...files], { cwd: folder });
}

test('a program of TypeScript has its types, and a mistake is found', async () => {
  await check('program.ts');
  await writeFile(join(folder, 'wrong.ts'), PROGRAM.replace("prompt: 'Explain", "promt: 'Explain"));
  await expect(check('wrong.ts')).rejects.toMatchObject({ stdout: expect.stringContaining('promt') });
});

test("a program for Node alone needs no browser's types", async () => {
  const text = "import { createClient } from 'llm-jobs/client';\nimport { publishJob } from 'llm-jobs/publisher';\n";
  await writeFile(join(folder, 'service.ts'), `${text}export const all = [createClient, publishJob];\n`);
  const mistakes = await check('--lib', 'es2023', '--skipLibCheck', 'false', 'service.ts').catch(
    ({ stdout }) => stdout,
  );
  expect(mistakes).toEqual({ stdout: '', stderr: '' });
});

describe('the README of the client', async () => {
  const readme = await readFile(join(ROOT, 'shared', 'client', 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/```(tsx?)\n([\s\S]*?)```/g)].map(([, ending, text = ''], n) => ({
    ...{ file: `example-${n}.${ending}`, text },
  }));

  test('is short, and has examples without a mistake', async () => {
    expect(readme.split('\n').length).toBeLessThan(180);
    expect(examples.length).toBeGreaterThan(4);
    for (const { file, text } of examples) await writeFile(join(folder, file), text);
    const mistakes = await check(...examples.map(({ file }) => file)).catch(({ stdout }) => stdout);
    expect(mistakes).toEqual({ stdout: '', stderr: '' });
  });

  test('has one of five lines that works as pasted', async () => {
    const [first = { text: '' }] = examples;
    expect(first.text.trim().split('\n').filter(Boolean).slice(1)).toHaveLength(4);
    const service = await openApp({ LOG_LEVEL: 'error' });
    const { baseUrl, close } = await listen(service.app.fetch, { host: '127.0.0.1', port: 0 });
    await writeFile(join(folder, 'first.js'), first.text.replace('http://127.0.0.1:8080', baseUrl));
    const { stdout } = await run(process.execPath, ['first.js'], { cwd: folder });
    await close();
    await service.close();
    expect(stdout).toContain('Why is the sky blue?');
  });
});

describe('what the console gives to copy', () => {
  const submission: Submission = {
    ...{ job_type: 'general_llm_request', model_id: 'simulated', tags: ["it's"], metadata: { 'a b': '$c' } },
    ...{ input_data: { prompt: 'Say "hello"\n`$name`.', reasoning: { effort: 'low' } }, fallbacks: ['simulated-2'] },
  };

  test('compiles', async () => {
    const all = [true, false].flatMap((withToken) => {
      const options = { origin: 'http://127.0.0.1:8080', withToken };
      return [
        { file: `copied-${withToken}.ts`, text: asClient(submission, options) },
        { file: `copied-${withToken}.tsx`, text: asReact(submission, options) },
      ];
    });
    for (const { file, text } of all) await writeFile(join(folder, file), text);
    const mistakes = await check(...all.map(({ file }) => file)).catch(({ stdout }) => stdout);
    expect(mistakes).toEqual({ stdout: '', stderr: '' });
  });

  test('runs', async () => {
    const service = await openApp({ LOG_LEVEL: 'error' });
    const { baseUrl, close } = await listen(service.app.fetch, { host: '127.0.0.1', port: 0 });
    await writeFile(join(folder, 'copied.js'), asClient(submission, { origin: baseUrl, withToken: true }));
    const { stdout } = await run(process.execPath, ['copied.js'], { cwd: folder });
    await close();
    await service.close();
    expect(stdout).toContain('This is a simulated answer to');
  });
});

test('the command line is a program, and an error is of the class that the client exports', async () => {
  const program = join(installed, 'dist', 'command-line.js');
  expect((await run(program, ['--version'])).stdout).toBe(`${manifest.version}\n`);
  const code = `import { LlmJobsError } from 'llm-jobs/client'; import { publishJob } from 'llm-jobs/publisher';
    await publishJob({}, {}).catch((error) => console.log(error instanceof LlmJobsError, error.code));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: folder });
  expect(stdout).toBe('true invalid_request\n');
});

test('it holds nothing of stores, queues and servers', async () => {
  const files = (await readdir(join(installed, 'dist'))).filter((name) => name.endsWith('.js'));
  const texts = await Promise.all(files.map((name) => readFile(join(installed, 'dist', name), 'utf8')));
  expect(texts.length).toBeGreaterThan(1);
  const imported = new Set(
    texts.flatMap((text) => [...text.matchAll(/from "([^./"][^"]*)"/g)].map(([, name]) => name)),
  );
  for (const name of ['libsql', 'hono', '@google-cloud/firestore', '@google-cloud/pubsub', 'redis']) {
    expect(imported).not.toContain(name);
  }
  // What costs time or memory is loaded when it is needed.
  const entry = await readFile(join(installed, 'dist', 'llm.js'), 'utf8');
  const atOnce = [...entry.matchAll(/^import .*from "([^./"][^"]*)"/gm)].map(([, name]) => name);
  expect(atOnce.filter((name) => /openai|anthropic|generative-ai|ajv|genai-prices/.test(name ?? ''))).toEqual([]);
});

test('an installation without what builds it goes on, and says that there is no client', async () => {
  await copyFile(join(ROOT, 'infra', 'prepare.mjs'), join(folder, 'prepare.mjs'));
  const { stderr } = await run(process.execPath, ['prepare.mjs'], { cwd: folder });
  expect(stderr).toBe('The client and the console were not built, without the packages that build it.\n');
});
