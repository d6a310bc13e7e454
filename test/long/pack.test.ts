/** The package as it is published, in a project that has nothing else: imported, type-checked, bundled, and run by name. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const INSTALL = ['install', '--no-audit', '--no-fund', '--ignore-scripts'];

const ENTRANCES = {
  'llm-jobs/client': ['createClient', 'newJobId', 'LlmJobsError'],
  'llm-jobs/react': ['useLlmJob'],
  'llm-jobs/publisher': ['publishJob'],
  'llm-jobs/llm': ['executeLlmCall'],
};

const TYPED = `
import { createClient, type EndedJob, LlmJobsError, newJobId } from 'llm-jobs/client';
import type { useLlmJob } from 'llm-jobs/react';
import type { publishJob } from 'llm-jobs/publisher';

export type Hook = ReturnType<typeof useLlmJob>;
export type Publish = typeof publishJob;
const jobs = createClient({ baseUrl: 'https://jobs.example.com' });
export async function ask(prompt: string): Promise<string | undefined> {
  const submission = { job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt } } as const;
  try {
    const job: EndedJob = await jobs.submitAndWait(submission, { jobId: newJobId(), timeoutMs: 1_000 });
    return job.status === 'failed' ? job.error_message : job.status;
  } catch (error) {
    return error instanceof LlmJobsError ? error.code : undefined;
  }
}
`;

let folder: string;
let packed: { filename: string; files: { path: string; mode: number }[] };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'llm-jobs-packed-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT });
  // What builds it says so before.
  [packed] = JSON.parse(stdout.slice(stdout.search(/^\[$/m)));
  await writeFile(join(folder, 'package.json'), '{ "name": "empty", "version": "1.0.0", "type": "module" }');
  const { dependencies, devDependencies } = manifest;
  const others = ['react', '@types/react', '@types/node'].map(
    (name) => `${name}@${{ ...dependencies, ...devDependencies }[name]}`,
  );
  await run('npm', [...INSTALL, `./${packed.filename}`, ...others], { cwd: folder });
}, 300_000);
afterAll(() => rm(folder, { recursive: true }));

test('the package holds what was built, and what says what it is', () => {
  const outside = packed.files.map(({ path }) => path).filter((path) => !path.startsWith('dist/'));
  expect(outside.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
  const paths = packed.files.map(({ path }) => path);
  // The console is served, not imported.
  expect(paths.filter((path) => /console|\.css$|index\.html/.test(path))).toEqual([]);
  const named = [
    ...Object.values(manifest.exports).flatMap((entrance) => Object.values(entrance)),
    ...Object.values(manifest.bin),
  ];
  expect(paths).toEqual(expect.arrayContaining(named.map((path) => path.replace('./', ''))));
});

test.each(Object.entries(ENTRANCES))('a program imports %s', async (name, exported) => {
  const code = `import * as all from '${name}'; console.log(JSON.stringify(Object.keys(all)));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual(expect.arrayContaining(exported));
});

test('an error that the publisher or the hook throws is of the class that the client exports', async () => {
  for (const name of ['react', 'publisher', 'command-line']) {
    const text = await readFile(join(folder, 'node_modules', 'llm-jobs', 'dist', `${name}.js`), 'utf8');
    expect([name, text.includes('class LlmJobsError')]).toEqual([name, false]);
  }
});

test('npx llm-jobs --help says how it is used', async () => {
  const { stdout } = await run('npx', ['--no-install', 'llm-jobs', '--help'], { cwd: folder });
  for (const command of ['submit', 'wait', 'list', 'cancel', 'tail']) expect(stdout).toContain(command);
});

describe.each([
  ['nodenext', 'nodenext'],
  ['bundler', 'esnext'],
])('TypeScript that looks for modules as %s does', (resolution, module) => {
  const check = async (text: string) => {
    await writeFile(join(folder, 'program.ts'), text);
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2024,dom'];
    const resolving = ['--module', module, '--moduleResolution', resolution];
    return run(process.execPath, [TSC, '--ignoreConfig', ...options, ...resolving, 'program.ts'], { cwd: folder });
  };

  test('finds all types', async () => {
    await check(TYPED);
  });

  test.each([
    ['a wrong job type', "job_type: 'general_llm_request'", "job_type: 'general_request'", 'general_request'],
    ['a misspelt status', "job.status === 'failed'", "job.status === 'faild'", 'faild'],
  ])('finds %s', async (_, right, wrong, told) => {
    expect(TYPED).toContain(right);
    const failed = check(TYPED.replace(right, wrong));
    await expect(failed).rejects.toMatchObject({ stdout: expect.stringContaining(told) });
  });
});

test('a bundle for browsers has the client, and nothing of Node', async () => {
  await mkdir(join(folder, 'page'), { recursive: true });
  await writeFile(
    join(folder, 'page', 'page.js'),
    "import { createClient } from 'llm-jobs/client'; window.jobs = createClient();",
  );
  const { outputFiles, metafile } = await build({
    entryPoints: [join(folder, 'page', 'page.js')],
    ...{ bundle: true, write: false, metafile: true, format: 'esm', platform: 'browser', logLevel: 'error' },
  });
  const inputs = Object.keys(metafile.inputs).map((path) => path.replace(/^.*node_modules\//, ''));
  expect(inputs.filter((path) => path.startsWith('llm-jobs/'))).toEqual(['llm-jobs/dist/client.js']);
  expect(inputs).toHaveLength(2);
  expect(outputFiles[0]?.text).not.toMatch(/node:|\brequire\(|\bprocess\.|\bBuffer\b/);
});
