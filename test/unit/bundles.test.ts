/** What each function's bundle holds, and what of it is loaded when: read from what esbuild tells, so that no time is measured. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { bundleAll, bundles, FUNCTIONS, type FunctionName } from '../../infra/bundle.ts';
import { lockOf, manifestOf } from '../../infra/bundle-packages.ts';
import { type Bundle, bytesOf, entryOf, loadedWith, sourcesIn } from '../../infra/bundle-parts.ts';
import lockFile from '../../package-lock.json' with { type: 'json' };

let made: Map<FunctionName, Bundle>;
beforeAll(async () => {
  made = (await bundles({ sourcemap: false })).bundles;
}, 60_000);

function bundleOf(name: FunctionName): Bundle {
  const bundle = made.get(name);
  if (!bundle) throw new Error(`no bundle of ${name}`);
  return bundle;
}

/** What is loaded when this source is imported on first use. */
function firstUseOf(bundle: Bundle, source: string): string[] {
  const entry = entryOf(bundle, source);
  return entry === undefined ? [] : loadedWith(bundle, entry);
}

/** `node_modules` may lie elsewhere. */
const inPackages = (path: string) => path.replace(/^.*?node_modules\//, 'node_modules/');
const everything = (bundle: Bundle) => sourcesIn(bundle, Object.keys(bundle.outputs));
const packagesIn = (sources: readonly string[]) => [
  ...new Set(sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? [])),
];

const RUNTIME = 'shared/runtime.ts';
const MOUNT = 'functions/surfaces/mount.ts';
const CONSOLE = 'shared/http/console-app.ts';
const DOORS = ['submit', 'status', 'stream', 'api'] as const;
/** Each takes tens of milliseconds to load. */
const HEAVY =
  /^(@google-cloud\/|google-gax|google-auth-library|@grpc\/|protobufjs|openai|@anthropic-ai\/|@google\/|redis|@redis\/|ajv|re2js|jsonrepair|@pydantic\/)/;

describe.each(FUNCTIONS)('the bundle of %s', (name) => {
  const answers = name === 'console' ? [CONSOLE] : [RUNTIME, MOUNT];

  test('loads next to nothing at its start: our own glue, and no package', () => {
    const bundle = bundleOf(name);
    const start = loadedWith(bundle, bundle.start);
    const sources = sourcesIn(bundle, start);
    expect(sources).toContain(`functions/${name}.ts`);
    expect(packagesIn(sources)).toEqual([]);
    expect(sources.filter((source) => source.startsWith('shared/adapters/')).sort()).toEqual([
      'shared/adapters/opentelemetry-under-way.ts',
      'shared/adapters/stdout-log.ts',
    ]);
    expect(sources.length).toBeLessThan(30);
    expect(bytesOf(bundle, start)).toBeLessThan(60_000);
  });

  test('loads no client of a service with what answers', () => {
    const bundle = bundleOf(name);
    const files = new Set(answers.flatMap((source) => firstUseOf(bundle, source)));
    const sources = sourcesIn(bundle, [...files]);
    expect(sources).toContain(name === 'console' ? 'shared/http/console.ts' : 'shared/core/service.ts');
    expect(packagesIn(sources)).toContain('hono');
    expect(packagesIn(sources).filter((found) => HEAVY.test(found))).toEqual([]);
    expect(bytesOf(bundle, [...files])).toBeLessThan(1_600_000);
  });

  test('holds nothing of SQLite, of the tests, or of the tools', () => {
    const sources = everything(bundleOf(name));
    const found = packagesIn(sources);
    const ofTools = Object.entries(lockFile.packages).flatMap(([path, locked]) => ('dev' in locked ? [path] : []));
    expect(ofTools).toEqual(expect.arrayContaining(['node_modules/vitest', 'node_modules/esbuild']));
    expect(found.filter((one) => ofTools.includes(`node_modules/${one}`) || one === 'libsql')).toEqual([]);
    expect(sources.filter((source) => /^(test|infra)\/|sqlite|runtime-embedded/.test(source))).toEqual([]);
  });

  test('holds the text of the client, in a file that is loaded when a page asks for it', () => {
    const bundle = bundleOf(name);
    const text = 'shared/http/client-script-text.ts';
    const entry = entryOf(bundle, text);
    expect(entry !== undefined).toBe((DOORS as readonly string[]).includes(name));
    expect(sourcesIn(bundle, [...loadedWith(bundle, bundle.start), ...firstUseOf(bundle, MOUNT)])).not.toContain(text);
    if (entry) expect(bytesOf(bundle, [entry])).toBeGreaterThan(5_000);
  });

  test('holds the files of the console, in a file that is loaded when its page is asked for', () => {
    const bundle = bundleOf(name);
    const files = 'shared/http/console-files.ts';
    const entry = entryOf(bundle, files);
    expect(entry !== undefined).toBe([...DOORS, 'console'].includes(name));
    expect(
      sourcesIn(
        bundle,
        answers.flatMap((source) => firstUseOf(bundle, source)),
      ),
    ).not.toContain(files);
    if (entry) expect(bytesOf(bundle, [entry])).toBeGreaterThan(200_000);
  });

  test('comes with its packages, in the versions of our own lock file, and all that those need', () => {
    const manifest = manifestOf(name, bundleOf(name));
    const framework = { '@google-cloud/functions-framework': '5.0.5' };
    const page = { 'swagger-ui-dist': '5.35.0' };
    expect(manifest.dependencies).toEqual(
      (DOORS as readonly string[]).includes(name) ? { ...framework, ...page } : framework,
    );
    const { packages } = lockOf(manifest);
    const { '': root, ...locked } = packages;
    expect(root?.dependencies).toEqual(manifest.dependencies);
    for (const [path, { version, integrity }] of Object.entries(locked)) {
      const { [path as 'node_modules/zod']: known } = lockFile.packages;
      expect({ path, version, integrity }).toEqual({ path, version: known.version, integrity: known.integrity });
    }
    const missing = Object.entries(locked).flatMap(([path, { dependencies = {} }]) =>
      Object.keys(dependencies).filter((wanted) => !isFound(packages, path, wanted)),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(locked).length).toBeGreaterThan(50);
    expect(Object.values(locked).filter(({ dev }) => dev)).toEqual([]);
    expect(Object.keys(locked).filter((path) => /libsql|vitest|google-gax/.test(path))).toEqual([]);
  });
});

describe.each(FUNCTIONS.filter((name) => name !== 'console'))('the bundle of %s, which knows jobs,', (name) => {
  test('reads and writes with the low-level client of Firestore alone, and one google-gax', () => {
    const bundle = bundleOf(name);
    const sources = sourcesIn(bundle, firstUseOf(bundle, 'low-level-firestore:v1'));
    expect(packagesIn(sources)).toEqual(expect.arrayContaining(['@google-cloud/firestore', 'google-gax']));
    expect(packagesIn(sources)).not.toContain('@google-cloud/pubsub');
    const firestore = sources.filter((source) => source.includes('@google-cloud/firestore/build/'));
    expect(firestore.filter((source) => !/\/(src\/v1|protos)\/[\w.]+$/.test(source))).toEqual([]);
    expect(firestore.filter((source) => source.endsWith('firestore_v1_proto_api.js'))).toEqual([]);
    const gax = everything(bundle).filter((source) => /node_modules\/google-gax\/build\/src\/grpc\.js$/.test(source));
    expect(gax.map(inPackages)).toEqual(['node_modules/google-gax/build/src/grpc.js']);
  });

  test('publishes with the low-level publisher alone', () => {
    const pubsub = everything(bundleOf(name)).filter((source) => source.includes('@google-cloud/pubsub/build/src/'));
    const names = pubsub.map((source) => source.split('/').at(-1));
    expect([...new Set(names)].sort()).toEqual(['publisher_client.js', 'publisher_client_config.json']);
  });

  test('has all names of what it loads on first use: esbuild gives a CommonJS package a default alone', () => {
    const { outputs } = bundleOf(name);
    const alone = Object.values(outputs).filter(
      ({ entryPoint = '', exports }) => entryPoint.includes('node_modules/') && exports.join() === 'default',
    );
    expect(alone.map(({ entryPoint = '' }) => inPackages(entryPoint))).toEqual([]);
  });
});

test('the bundle of console has no package but the web framework', () => {
  const sources = everything(bundleOf('console'));
  expect(packagesIn(sources).sort()).toEqual(['@hono/node-server', 'hono']);
  expect(
    sources.filter((source) => /^shared\/(adapters\/(firestore|pubsub|redis)|job-types|llm|runtime\.ts)/.test(source)),
  ).toEqual([]);
  expect(bytesOf(bundleOf('console'), firstUseOf(bundleOf('console'), CONSOLE))).toBeLessThan(100_000);
});

/** As Node looks: in the `node_modules` of the package itself, then of each that is above it. */
function isFound(packages: object, path: string, wanted: string): boolean {
  const parts = path.split('/node_modules/');
  return (
    parts.some((_, n) => `${[...parts.slice(0, parts.length - n), wanted].join('/node_modules/')}` in packages) ||
    `node_modules/${wanted}` in packages
  );
}

test('the folder of a bundle is all that an installation needs, which runs no scripts of packages', async () => {
  const into = await mkdtemp(join(tmpdir(), 'llm-jobs-bundles-'));
  try {
    await bundleAll({ sourcemap: false, into });
    for (const name of FUNCTIONS) {
      const read = (file: string) => readFile(join(into, name, file), 'utf8');
      expect(await read('.npmrc')).toBe('ignore-scripts=true\n');
      expect(JSON.parse(await read('package.json'))).toEqual(manifestOf(name, bundleOf(name)));
      expect(JSON.parse(await read('package-lock.json'))).toMatchObject({
        name: `llm-jobs-${name}`,
        lockfileVersion: 3,
      });
      expect(await read('index.js')).toContain('export');
    }
  } finally {
    await rm(into, { recursive: true });
  }
}, 60_000);
