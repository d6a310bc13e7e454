/**
 * What DESIGN.md section 2 asks of the source, as pure functions: from the files as read to one sentence per breach.
 * `readSource` turns a file's text into the plain data that the rules look at.
 */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

/** `specifier` is `undefined` where only running the program would tell what is imported. */
export type Import = { specifier: string | undefined; typeOnly: boolean };

export type SourceFile = {
  path: string;
  lines: number;
  imports: readonly Import[];
  exportsDefault: boolean;
  mentionsEnvironment: boolean;
};

type Names = { readonly [name: string]: string };
/** `peerDependencies`: what whoever installs the package brings along; here they are devDependencies, too. */
export type Manifest = { dependencies: Names; devDependencies: Names; peerDependencies: Names };
/** `usedOtherwise`: packages that no file imports, each with what it is for. */
export type Project = { files: readonly SourceFile[]; manifest: Manifest; usedOtherwise: Names };
export type Rule = (project: Project) => string[];

const LINES_MOST = 250;

/** The first pattern that matches says the layer. */
const LAYERS = [
  ['core', /^shared\/core\//],
  ['llm', /^shared\/llm\//],
  ['job-types', /^shared\/job-types\//],
  ['adapter', /^shared\/adapters\//],
  ['http', /^shared\/http\//],
  ['client', /^shared\/client\//],
  ['config', /^shared\/config(-\w+)?\.ts$/],
  ['runtime', /^shared\/runtime(-\w+)?\.ts$/],
  ['mount', /^functions\/surfaces\/mount\.ts$/],
  ['port', /^functions\/surfaces\/surface\.ts$/],
  ['other-contracts', /^functions\/surfaces\/other-contracts\.ts$/],
  ['surface', /^functions\/surfaces\//],
  ['console', /^functions\/console\//],
  ['function', /^functions\/[^/]+\.ts$/],
  ['infra', /^infra\//],
  ['test', /^test\//],
] as const;
type Layer = (typeof LAYERS)[number][0];

const MAY_IMPORT: { readonly [layer in Layer]: readonly Layer[] | 'anything' } = {
  core: ['core'],
  llm: ['core', 'llm'],
  'job-types': ['core', 'llm', 'job-types'],
  adapter: ['core', 'adapter'],
  http: ['core', 'http'],
  client: ['client'],
  config: ['config'],
  runtime: ['core', 'llm', 'job-types', 'adapter', 'http', 'config', 'runtime'],
  mount: ['core', 'surface', 'port', 'http', 'config', 'runtime'],
  port: ['core', 'job-types', 'http'],
  'other-contracts': [],
  surface: ['core', 'job-types', 'http', 'port', 'other-contracts', 'surface'],
  console: ['client', 'console'],
  function: ['runtime', 'config', 'http', 'mount', 'surface'],
  infra: 'anything',
  test: 'anything',
};

/** Packages that are the inside of a client: an adapter may name them next to it. */
const INSIDE_OF: { readonly [name: string]: readonly string[] } = {
  'google-gax': ['@google-cloud/firestore', '@google-cloud/pubsub'],
};

const layerOf = (path: string) => LAYERS.find(([, pattern]) => pattern.test(path))?.[0];
const isProduct = (file: SourceFile) => /^(functions|shared)\//.test(file.path);

type Target =
  | { kind: 'file'; path: string; typeOnly: boolean }
  | { kind: 'package'; name: string; typeOnly: boolean }
  | { kind: 'builtin'; name: string; typeOnly: boolean };

/** What a file imports, as far as its text tells. */
function targetsOf(file: SourceFile): Target[] {
  return file.imports.flatMap(({ specifier, typeOnly }): Target[] => {
    if (specifier === undefined) return [];
    if (/^\.{1,2}\//.test(specifier)) {
      return [{ kind: 'file', path: posix.join(posix.dirname(file.path), specifier), typeOnly }];
    }
    if (isBuiltin(specifier)) return [{ kind: 'builtin', name: specifier.replace(/^node:/, ''), typeOnly }];
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    return [{ kind: 'package', name, typeOnly }];
  });
}

const filesOf = (file: SourceFile) => targetsOf(file).filter((target) => target.kind === 'file');
const packagesOf = (file: SourceFile) => targetsOf(file).filter((target) => target.kind === 'package');

export const unreadableImports: Rule = ({ files }) => {
  const known = new Set(files.map((file) => file.path));
  return files.flatMap((file) => [
    ...filesOf(file)
      .filter(({ path }) => !known.has(path) && !/\.(json|css)$/.test(path))
      .map(({ path }) => `${file.path} imports ${path}, which is not among the files read`),
    ...file.imports
      .filter(({ specifier }) => specifier === undefined && isProduct(file))
      .map(() => `${file.path} imports what only running it would tell`),
  ]);
};

export const cycles: Rule = ({ files }) => {
  const edges = new Map(files.map((file) => [file.path, new Set(filesOf(file).map(({ path }) => path))]));
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const first = trail.indexOf(path);
    if (first >= 0) found.push(`${[...trail.slice(first), path].join(' -> ')} is a cycle`);
    if (first >= 0 || finished.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
};

const technologyOf = (path: string) => posix.basename(path, '.ts').split('-', 1)[0];

/** `llm-jobs-view.ts` belongs to the surface `llm-jobs` as soon as there is an `llm-jobs.ts`. */
function surfaceOf(path: string, files: readonly SourceFile[]): string {
  const nameIn = (of: string) => of.slice('functions/surfaces/'.length).replace(/(\/.*|\.tsx?)$/, '');
  const name = nameIn(path);
  const surfaces = files.filter((file) => layerOf(file.path) === 'surface').map((file) => nameIn(file.path));
  const owners = surfaces.filter((surface) => name === surface || name.startsWith(`${surface}-`));
  return owners.sort((a, b) => a.length - b.length)[0] ?? name;
}

export const arrows: Rule = ({ files }) => {
  const wrong = (file: SourceFile, to: Extract<Target, { kind: 'file' }>) => {
    const [from, target] = [layerOf(file.path), layerOf(to.path)];
    const allowed = from && MAY_IMPORT[from];
    if (allowed === 'anything') return false;
    if (!allowed || !target || !allowed.includes(target)) return true;
    if (from === 'adapter' && target === 'adapter') return technologyOf(file.path) !== technologyOf(to.path);
    if (from === 'surface' && target === 'surface') return surfaceOf(file.path, files) !== surfaceOf(to.path, files);
    return from === 'mount' && target === 'runtime' && !to.typeOnly;
  };
  return files.flatMap((file) => [
    ...(layerOf(file.path) ? [] : [`${file.path} is in no folder that the design names`]),
    ...filesOf(file)
      .filter((to) => wrong(file, to))
      .map((to) => `${file.path} must not import ${to.path}${to.typeOnly ? ', not even as a type' : ''}`),
  ]);
};

export const corePurity: Rule = ({ files }) =>
  files
    .filter((file) => layerOf(file.path) === 'core')
    .flatMap((file) =>
      targetsOf(file).flatMap((target) => (target.kind === 'file' ? [] : `${file.path} imports ${target.name}`)),
    );

export const adapterClients: Rule = ({ files }) =>
  files
    .filter((file) => layerOf(file.path) === 'adapter')
    .map((file) => ({ file, named: new Set(packagesOf(file).map(({ name }) => name)) }))
    .map(({ file, named }) => ({
      file,
      clients: new Set([...named].filter((name) => !INSIDE_OF[name]?.some((outer) => named.has(outer)))),
    }))
    .filter(({ clients }) => clients.size > 1)
    .map(({ file, clients }) => `${file.path} imports ${[...clients].join(' and ')}`);

const NAMES_ADAPTERS: readonly (Layer | undefined)[] = ['runtime', 'infra', 'test', 'adapter'];

/** Adapters themselves are the arrows' business. */
export const adapterUsers: Rule = ({ files }) =>
  files
    .filter((file) => !NAMES_ADAPTERS.includes(layerOf(file.path)))
    .flatMap((file) => filesOf(file).map((to) => ({ file, to })))
    .filter(({ to }) => layerOf(to.path) === 'adapter')
    .map(({ file, to }) => `${file.path} names the adapter ${to.path}`);

/** Runs on somebody else's machine: what it reads is no setting of the service. */
const OTHER_READER = 'shared/client/command-line.ts';

export const environmentReaders: Rule = ({ files }) =>
  files
    .filter((file) => isProduct(file) && layerOf(file.path) !== 'config' && file.path !== OTHER_READER)
    .filter(
      (file) => file.mentionsEnvironment || targetsOf(file).some((to) => to.kind !== 'file' && to.name === 'process'),
    )
    .map((file) => `${file.path} mentions process.env`);

export const fileSizes: Rule = ({ files }) =>
  files
    .filter((file) => layerOf(file.path) !== 'test' && file.lines > LINES_MOST)
    .map((file) => `${file.path} has ${file.lines} lines`);

export const declaredPackages: Rule = ({ files, manifest }) =>
  files.flatMap((file) =>
    packagesOf(file).flatMap(({ name, typeOnly }) => {
      if (name in manifest.dependencies) return [];
      if (!(name in manifest.devDependencies))
        return `${file.path} imports ${name}, which package.json does not declare`;
      const isPeer = layerOf(file.path) === 'client' && name in manifest.peerDependencies;
      // It is built, with all that it imports.
      const isBuilt = layerOf(file.path) === 'console';
      return isProduct(file) && !typeOnly && !isPeer && !isBuilt
        ? `${file.path} imports ${name}, a devDependency, at run time`
        : [];
    }),
  );

export const usedPackages: Rule = ({ files, manifest, usedOtherwise }) => {
  const imported = new Set(files.flatMap(packagesOf).map(({ name }) => name));
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  const excused = Object.keys(usedOtherwise);
  return [
    ...declared
      .filter((name) => !imported.has(name) && !excused.includes(name))
      .map((name) => `package.json declares ${name}, which nothing imports`),
    ...excused
      .filter((name) => imported.has(name) || !declared.includes(name))
      .map((name) => `${name} needs no excuse: it is ${imported.has(name) ? 'imported' : 'not declared'}`),
  ];
};

const VAGUE = /(^|[-./])(utils?|helpers?|common|managers?|base)(?=[-./])|(^|\/)index\.tsx?$/i;

export const vagueNames: Rule = ({ files }) =>
  files.filter((file) => VAGUE.test(file.path)).map((file) => `${file.path} does not say what is in it`);

export const defaultExports: Rule = ({ files }) =>
  files.filter((file) => isProduct(file) && file.exportsDefault).map((file) => `${file.path} has a default export`);

const ENVIRONMENT = /\bprocess\s*(\??\.\s*|(\?\.)?\[\s*['"`])env\b|\}\s*=\s*(globalThis\.)?process\b/;

/** The facts about one file that the rules need. Throws where the text is not TypeScript. */
export function readSource(path: string, text: string): SourceFile {
  const { module, program, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const imports: Import[] = [];
  for (const { moduleRequest, start, end } of module.staticImports) {
    // `import { type A } from 'b'` still loads b.
    const typeOnly = /^import\s+type\b(?!\s+from\s*['"])/.test(text.slice(start, end));
    imports.push({ specifier: moduleRequest.value, typeOnly });
  }
  const exported = module.staticExports.flatMap((statement) =>
    statement.entries.map((entry) => ({ ...entry, typeOnly: /^export\s+type\b/.test(text.slice(statement.start)) })),
  );
  for (const { moduleRequest, typeOnly } of exported) {
    if (moduleRequest) imports.push({ specifier: moduleRequest.value, typeOnly });
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^(['"`])([^$\\]*)\1$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    imports.push({ specifier: literal?.[2], typeOnly: false });
  }
  new Visitor({
    TSImportType: ({ source }) => void imports.push({ specifier: source.value, typeOnly: true }),
  }).visit(program);
  return {
    path,
    lines: text.replace(/\n$/, '').split('\n').length,
    imports,
    exportsDefault: exported.some(({ exportName }) => exportName.kind === 'Default' || exportName.name === 'default'),
    mentionsEnvironment: ENVIRONMENT.test(text),
  };
}
