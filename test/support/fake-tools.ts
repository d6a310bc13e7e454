/**
 * Programs named terraform, gcloud and npm in a folder that is the whole PATH: each notes its words and does as it is
 * told. The outermost edge of what deploys; all before it is real.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argumentsForCode } from './programs.ts';

/** What a program does when these words are among its own; `makes`: a file in the folder. */
export type Told = { words: string; code?: number; stdout?: string; stderr?: string; makes?: string };

const ROOT = join(import.meta.dirname, '..', '..');

export function fakeTools(tools: readonly string[], told: readonly Told[]) {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-tools-'));
  const [bin, notes, work] = [join(folder, 'bin'), join(folder, 'notes'), join(folder, 'infra')];
  mkdirSync(bin);
  mkdirSync(work);
  writeFileSync(notes, '');
  writeFileSync(join(folder, 'told.json'), JSON.stringify(told));
  const script = `#!${process.execPath}
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs');
const words = [process.argv[1].split('/').pop(), ...process.argv.slice(2)].join(' ');
appendFileSync(${JSON.stringify(notes)}, words + '\\n');
const told = JSON.parse(readFileSync(${JSON.stringify(join(folder, 'told.json'))}, 'utf8'));
const { code = 0, stdout = '', stderr = '', makes } = told.find((one) => words.includes(one.words)) ?? {};
if (makes) writeFileSync(${JSON.stringify(`${folder}/`)} + makes, 'made');
process.stdout.write(stdout);
process.stderr.write(stderr);
process.exitCode = code;
`;
  for (const tool of tools) {
    writeFileSync(join(bin, tool), script);
    chmodSync(join(bin, tool), 0o755);
  }
  return {
    folder,
    /** Where the `.tf` files would be. */
    work,
    calls: () => readFileSync(notes, 'utf8').trim().split('\n').filter(Boolean),
    remove: () => rmSync(folder, { recursive: true }),
    /** Runs Node with this PATH; `stdin` is what a person types. */
    async run(args: readonly string[], stdin = '') {
      const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, PATH: bin, LLM_JOBS_KEY: '' } });
      child.stdin.end(stdin);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
      return { status, output };
    },
  };
}

/** What Node has to be given to run a program of `infra/` by the function of its name. */
export function programWith(program: 'deploy' | 'rollback', ...given: readonly unknown[]): string[] {
  const words = given.map((one) => JSON.stringify(one)).join(', ');
  return argumentsForCode(
    [`infra/${program}.ts`, 'infra/operating.ts'],
    (file, operating) => `
      import { ${program} } from ${file};
      import { answering } from ${operating};
      await answering('USAGE', () => ${program}(${words}));`,
  );
}
