/** Who may import whom, file sizes, names and dependencies: DESIGN.md section 2, read from the source itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Manifest, Project, Rule, SourceFile } from './support/architecture-rules.ts';
import * as rules from './support/architecture-rules.ts';
import { CHANGES_WHAT_IS_SHARED } from './support/changes-what-is-shared.ts';

const ROOT = join(import.meta.dirname, '..');
const FOLDERS = ['functions', 'shared', 'infra', 'test'];

const USED_OTHERWISE = {
  '@biomejs/biome': 'npm run check and fix',
  '@types/node': 'named in tsconfig.json',
  '@types/react': 'the types of react, which brings none',
  '@types/react-dom': 'the types of react-dom, which brings none',
  tsx: 'node --import tsx in the scripts',
  typescript: 'tsc in npm run check',
};

function readProject(): Project {
  const paths = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  const files = paths
    .map((path) => path.split(sep).join('/'))
    .filter((path) => /\.tsx?$/.test(path) && !path.includes('node_modules/'))
    .map((path) => rules.readSource(path, readFileSync(join(ROOT, path), 'utf8')));
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
  return { files, manifest, usedOtherwise: USED_OTHERWISE };
}

describe('the source', () => {
  const project = readProject();

  test('was read: every folder, and imports of files, of packages and of Node', () => {
    expect(project.files.length).toBeGreaterThan(40);
    for (const folder of FOLDERS) {
      expect(
        project.files.filter(({ path }) => path.startsWith(`${folder}/`)),
        folder,
      ).not.toEqual([]);
    }
    const specifiers = project.files.flatMap(({ imports }) => imports.map(({ specifier }) => specifier));
    expect(specifiers.length).toBeGreaterThan(100);
    expect(specifiers).toEqual(expect.arrayContaining(['../core/job.ts', 'zod', 'node:path']));
    // A dynamic import of each.
    expect(specifiers).toEqual(expect.arrayContaining(['./adapters/sqlite-database.ts', 'google-gax']));
  });

  test.each<[string, Rule]>([
    ['says by its text what it imports', rules.unreadableImports],
    ['has no import cycle, type imports included', rules.cycles],
    ['imports only along the arrows', rules.arrows],
    ['keeps packages and Node out of the core', rules.corePurity],
    ['has at most one third-party client per adapter', rules.adapterClients],
    ['names concrete adapters in the runtime only', rules.adapterUsers],
    ['reads the environment in shared/config.ts, and in the command line, only', rules.environmentReaders],
    ['has no file that is too long', rules.fileSizes],
    ['imports no package that is undeclared, nor a devDependency at run time', rules.declaredPackages],
    ['imports every package that is declared', rules.usedPackages],
    ['has no vague file name', rules.vagueNames],
    ['has no default export', rules.defaultExports],
  ])('%s', (_, rule) => {
    expect(rule(project)).toEqual([]);
  });
});

/** A made-up file; an import that starts with `type ` is a type import. */
function file(path: string, imports: string[] = [], over: Partial<SourceFile> = {}): SourceFile {
  const read = imports.map((text) => ({ specifier: text.replace(/^type /, ''), typeOnly: text.startsWith('type ') }));
  return { path, lines: 1, imports: read, exportsDefault: false, mentionsEnvironment: false, ...over };
}

const MANIFEST: Manifest = {
  dependencies: { zod: '4' },
  devDependencies: { '@a/b': '1', peer: '1' },
  peerDependencies: { peer: '1' },
};

function breaches(rule: Rule, files: SourceFile[], usedOtherwise: Project['usedOtherwise'] = {}): string[] {
  return rule({ files, manifest: MANIFEST, usedOtherwise });
}

describe('a test file that changes what others in its process share', () => {
  const CHANGES = /vi\.(mock|stubGlobal|useFakeTimers)\(|defineProperty\(globalThis|simulation\/simulate\.ts/;
  const SHARING = ['unit', 'providers', 'contracts', 'surface', 'scenarios', 'embedded', 'emulator'];

  test('has a process of its own', () => {
    const changing = SHARING.flatMap((folder) =>
      readdirSync(join(ROOT, 'test', folder), { recursive: true, encoding: 'utf8' })
        .map((name) => `${folder}/${name.split(sep).join('/')}`)
        .filter((path) => path.endsWith('.test.ts') && CHANGES.test(readFileSync(join(ROOT, 'test', path), 'utf8'))),
    );
    expect(changing.sort()).toEqual([...CHANGES_WHAT_IS_SHARED].sort());
  });
});

describe('an arrow', () => {
  const SURFACES = ['llm-jobs', 'llm-jobs-view', 'llm', 'chat', 'chat-view', 'mount', 'surface'];
  const others = SURFACES.filter((name) => name !== 'llm').map((name) => file(`functions/surfaces/${name}.ts`));

  test.each([
    ['shared/core/run.ts', './job.ts'],
    ['shared/llm/providers/openai.ts', '../../core/ports.ts'],
    ['shared/job-types/registry.ts', '../llm/catalog.ts'],
    ['shared/adapters/firestore-job-store.ts', './firestore-document.ts'],
    ['shared/http/app.ts', '../core/errors.ts'],
    ['shared/client/react.ts', './client.ts'],
    ['shared/runtime.ts', './adapters/sqlite-job-store.ts'],
    ['shared/runtime.ts', './runtime-shared.ts'],
    ['functions/surfaces/llm-jobs.ts', './llm-jobs-view.ts'],
    ['functions/surfaces/llm-jobs-view.ts', 'type ./llm-jobs.ts'],
    ['functions/surfaces/llm-jobs.ts', 'type ./surface.ts'],
    ['functions/surfaces/llm-jobs.ts', './other-contracts.ts'],
    ['functions/surfaces/mount.ts', './llm-jobs.ts'],
    ['functions/surfaces/mount.ts', 'type ../../shared/runtime.ts'],
    ['functions/api.ts', './surfaces/mount.ts'],
    ['functions/console/page.ts', '../../shared/client/client.ts'],
    ['infra/local.ts', '../functions/surfaces/mount.ts'],
    ['test/unit/run.test.ts', '../../shared/adapters/sqlite-database.ts'],
  ])('from %s to %s is right', (from, to) => {
    expect(breaches(rules.arrows, [file(from, [to]), ...others])).toEqual([]);
  });

  test.each([
    ['shared/core/run.ts', 'type ../http/app.ts'],
    ['shared/llm/catalog.ts', '../job-types/registry.ts'],
    ['shared/job-types/registry.ts', '../http/app.ts'],
    ['shared/adapters/redis-job-queue.ts', 'type ./sqlite-database.ts'],
    ['shared/adapters/sqlite-job-store.ts', '../llm/catalog.ts'],
    ['shared/http/app.ts', '../job-types/registry.ts'],
    ['shared/http/app.ts', 'type ../config.ts'],
    ['shared/client/client.ts', 'type ../core/job.ts'],
    ['shared/config.ts', 'type ./core/job.ts'],
    ['shared/runtime.ts', './client/client.ts'],
    ['shared/runtime.ts', '../infra/local.ts'],
    ['functions/surfaces/llm-jobs.ts', './chat.ts'],
    ['functions/surfaces/llm-jobs-view.ts', 'type ./chat-view.ts'],
    ['functions/surfaces/llm-jobs.ts', './mount.ts'],
    ['functions/surfaces/llm-jobs.ts', 'type ../../shared/runtime.ts'],
    ['functions/surfaces/surface.ts', './llm-jobs.ts'],
    ['functions/surfaces/other-contracts.ts', './llm-jobs.ts'],
    ['functions/surfaces/mount.ts', '../../shared/runtime.ts'],
    ['functions/api.ts', '../shared/core/service.ts'],
    ['functions/api.ts', './submit.ts'],
    ['functions/api.ts', '../package.json'],
    ['functions/console/page.ts', '../../shared/http/app.ts'],
  ])('from %s to %s is wrong', (from, to) => {
    expect(breaches(rules.arrows, [file(from, [to]), ...others])).toHaveLength(1);
  });

  test('cannot start in a folder that the design does not name', () => {
    expect(breaches(rules.arrows, [file('shared/extra/a.ts')])).toHaveLength(1);
  });
});

describe('a rule', () => {
  const computed = { imports: [{ specifier: undefined, typeOnly: false }] };
  const ring = [
    file('test/a.ts', ['./b.ts', './c.ts']),
    file('test/b.ts', ['type ./c.ts']),
    file('test/c.ts', ['./b.ts']),
  ];
  const firestore = ['@google-cloud/firestore', 'google-gax', 'node:fs'];
  const environment = { mentionsEnvironment: true };

  test.each<[string, Rule, SourceFile | SourceFile[]]>([
    ['an import of a file that is not there', rules.unreadableImports, file('test/a.ts', ['./b.ts'])],
    ['a computed import', rules.unreadableImports, file('shared/http/a.ts', [], computed)],
    ['a file that imports itself', rules.cycles, file('test/a.ts', ['./a.ts'])],
    ['a cycle through a type import', rules.cycles, ring],
    ['a package in the core', rules.corePurity, file('shared/core/a.ts', ['type zod'])],
    ['a Node module in the core', rules.corePurity, file('shared/core/a.ts', ['node:fs'])],
    ['a Node module by its old name in the core', rules.corePurity, file('shared/core/a.ts', ['fs'])],
    [
      'two clients in one adapter',
      rules.adapterClients,
      file('shared/adapters/redis-a.ts', ['redis', 'type libsql/x']),
    ],
    ['a function that names an adapter', rules.adapterUsers, file('functions/a.ts', ['type ../shared/adapters/b.ts'])],
    ['the environment', rules.environmentReaders, file('shared/http/a.ts', [], environment)],
    ['the environment by import', rules.environmentReaders, file('functions/a.ts', ['node:process'])],
    ['the environment in the client', rules.environmentReaders, file('shared/client/client.ts', [], environment)],
    ['a file of 251 lines', rules.fileSizes, file('infra/a.ts', [], { lines: 251 })],
    ['an undeclared package', rules.declaredPackages, file('test/a.ts', ['type left/pad'])],
    ['a devDependency at run time', rules.declaredPackages, file('shared/http/a.ts', ['@a/b/c'])],
    ['a devDependency at run time in the client', rules.declaredPackages, file('shared/client/a.ts', ['@a/b'])],
    ['a peer dependency that nobody brings along', rules.declaredPackages, file('shared/http/a.ts', ['peer'])],
    ['a package that nothing imports', rules.usedPackages, file('test/a.ts', ['zod', 'peer'])],
    ['a file called index', rules.vagueNames, file('shared/http/index.ts')],
    ['a file of helpers, whatever is before it', rules.vagueNames, file('test/support/time-helpers.ts')],
    ['a folder called utils', rules.vagueNames, file('shared/http/utils/a.ts')],
    ['a default export', rules.defaultExports, file('shared/http/a.ts', [], { exportsDefault: true })],
  ])('finds %s', (_, rule, made) => {
    expect(breaches(rule, [made].flat())).toHaveLength(1);
  });

  test.each<[string, Rule, SourceFile]>([
    ['a computed import in a test', rules.unreadableImports, file('test/a.ts', [], computed)],
    ['the inside of a client next to it', rules.adapterClients, file('shared/adapters/firestore-a.ts', firestore)],
    ['an adapter in infra', rules.adapterUsers, file('infra/a.ts', ['../shared/adapters/b.ts'])],
    ['the environment in the configuration', rules.environmentReaders, file('shared/config.ts', [], environment)],
    [
      'the environment in the command line',
      rules.environmentReaders,
      file('shared/client/command-line.ts', [], environment),
    ],
    ['a file of 250 lines', rules.fileSizes, file('shared/http/a.ts', [], { lines: 250 })],
    ['a peer dependency in the client', rules.declaredPackages, file('shared/client/a.ts', ['peer'])],
    ['a devDependency as a type', rules.declaredPackages, file('shared/http/a.ts', ['type @a/b', 'zod'])],
    ['a devDependency in a test', rules.declaredPackages, file('test/a.ts', ['@a/b'])],
    ['a name that contains a vague word', rules.vagueNames, file('shared/adapters/sqlite-database.ts')],
    ['a default export in a test configuration', rules.defaultExports, file('test/a.ts', [], { exportsDefault: true })],
  ])('accepts %s', (_, rule, made) => {
    expect(breaches(rule, [made])).toEqual([]);
  });

  test('finds excuses that are not needed', () => {
    const files = [file('test/a.ts', ['zod', '@a/b', 'peer'])];
    expect(breaches(rules.usedPackages, files, { zod: 'imported', gone: 'not declared' })).toHaveLength(2);
  });
});

describe('the reader', () => {
  const read = (...lines: string[]) => rules.readSource('a.ts', `${lines.join('\n')}\n`);
  const importsOf = (...lines: string[]) =>
    read(...lines).imports.map(({ specifier, typeOnly }) => (typeOnly ? `type ${specifier}` : specifier));

  test.each([
    ["import a, { type B } from './a.ts';", './a.ts'],
    ["import './a.ts';", './a.ts'],
    ["import { type B } from 'b';", 'b'],
    ["import type from 'b';", 'b'],
    ["import type { A } from './a.ts';", 'type ./a.ts'],
    ["import type * as A from 'b';", 'type b'],
    ["export * from './a.ts';", './a.ts'],
    ["export { a } from './a.ts';", './a.ts'],
    ["export type { A } from './a.ts';", 'type ./a.ts'],
    ["const é = '→𝄞'; await import('./a.ts');", './a.ts'],
    ['await import(`./a.ts`);', './a.ts'],
    ["type A = import('./a.ts').A;", 'type ./a.ts'],
    ["let a: typeof import('b');", 'type b'],
    ['await import(name);', undefined],
    [`await import(\`./\${name}.ts\`);`, undefined],
  ])('sees the import in %s', (text, expected) => {
    expect(importsOf(text)).toEqual([expected]);
  });

  test('takes no import from a comment or a text', () => {
    expect(importsOf("// import './a.ts';", 'const a = "import(\'b\')";', 'export const c = 1;')).toEqual([]);
  });

  test.each(['process.env.A', 'globalThis.process?.env', "process['env']", 'const { env } = process;'])(
    'sees the environment in %s',
    (text) => {
      expect(read(text).mentionsEnvironment).toBe(true);
    },
  );

  test('does not take other uses of the word for the environment', () => {
    expect(read('process.environment; processEnv; // a process of its own').mentionsEnvironment).toBe(false);
  });

  test.each(['export default 1;', 'const a = 1; export { a as default };', "export { default } from 'a';"])(
    'sees the default export in %s',
    (text) => {
      expect(read(text).exportsDefault).toBe(true);
    },
  );

  test('counts lines as an editor does', () => {
    expect(read('1;', '2;', '3;').lines).toBe(3);
  });

  test('refuses a text that is not TypeScript', () => {
    expect(() => read('import from from from')).toThrow('a.ts');
  });
});
