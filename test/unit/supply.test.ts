/** What the project is made of: where each package comes from, whose script may run, under which licence, and the list of all. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  IN_CONSOLE,
  isAllowed,
  type LockedPackages,
  licensed,
  lockedPackages,
  nameOf,
  noticesOf,
} from '../../infra/licences.ts';
import { type Sbom, sbom } from '../../infra/sbom.ts';
import { readSource } from '../support/architecture-rules.ts';

const read = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
const manifest = JSON.parse(read('package.json'));
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
let packages: LockedPackages;
beforeAll(async () => {
  packages = await lockedPackages();
});
/** All but the project itself. */
const locked = () => Object.entries(packages).filter(([folder]) => folder !== '');

describe('the lock file', () => {
  test('holds what package.json asks for, which is one version of each', () => {
    const { dependencies, devDependencies, overrides = {} } = manifest;
    expect(packages['']).toMatchObject({ dependencies, devDependencies });
    const wanted = Object.entries<string>({ ...dependencies, ...devDependencies });
    expect(wanted.length).toBeGreaterThan(30);
    expect([...wanted, ...Object.entries<string>(overrides)].filter(([, version]) => !EXACT.test(version))).toEqual([]);
    const installed = wanted.map(([name]) => [name, packages[`node_modules/${name}`]?.version]);
    expect(installed).toEqual(wanted);
  });

  test('has each package from the registry alone, with a digest: none from git, a file or another address', () => {
    expect(locked().length).toBeGreaterThan(300);
    expect(locked().filter(([, one]) => !isFromRegistry(one))).toEqual([]);
    const sound = { version: '1.0.0', integrity: `sha512-${'A'.repeat(86)}==` };
    expect(isFromRegistry(sound)).toBe(true);
    expect(isFromRegistry({ ...sound, resolved: 'https://registry.npmjs.org/a/-/a-1.0.0.tgz' })).toBe(true);
    for (const wrong of [
      { version: sound.version },
      { ...sound, integrity: 'sha1-AAAA' },
      { ...sound, version: 'git+ssh://git@github.com/a/a.git#1' },
      { ...sound, resolved: 'git+https://github.com/a/a.git#1' },
      { ...sound, resolved: 'https://registry.npmjs.org.evil.example/a.tgz' },
      { ...sound, resolved: 'http://registry.npmjs.org/a.tgz' },
      { ...sound, resolved: 'file:../a.tgz' },
      { ...sound, link: true },
    ]) {
      expect([wrong, isFromRegistry(wrong)]).toEqual([wrong, false]);
    }
  });

  test('knows no package with a script of its own but those that package.json allows or forbids by name', () => {
    const withScripts = locked().filter(([, one]) => one.hasInstallScript);
    const names = new Set(withScripts.map(([folder, one]) => nameOf(folder, one)));
    expect(names).toContain('esbuild');
    expect(new Set(Object.keys(manifest.allowScripts))).toEqual(names);
  });
});

function isFromRegistry({ version = '', integrity = '', resolved, link }: Partial<LockedPackages[string]>): boolean {
  const comesFromRegistry = resolved === undefined || resolved.startsWith('https://registry.npmjs.org/');
  return EXACT.test(version) && /^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity) && comesFromRegistry && !link;
}

describe('the licences', () => {
  test('of all that runs are on the list', () => {
    const all = licensed(packages);
    const names = all.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
    // Only developed with; and one that the service runs with, too, though it is also among what it is developed with.
    expect(names).not.toContain('vitest');
    expect(names).toContain('standardwebhooks');
    // Handed out with the console.
    expect(names).toEqual(expect.arrayContaining(['react', 'react-dom']));
    expect(all.filter((one) => !isAllowed(one))).toEqual([]);
  });

  test.each(['MIT', '(MIT OR CC0-1.0)', 'Apache-2.0 AND (MIT OR ISC)'])('%s is allowed', (licence) => {
    expect(isAllowed({ licence })).toBe(true);
  });

  test.each([
    ...[undefined, '', 'GPL-3.0-only', 'UNLICENSED', 'SEE LICENSE IN LICENSE.md', 'mit', 'constructor'],
    ...['(MIT OR GPL-3.0-only)', 'MIT AND SSPL-1.0', 'Apache-2.0 WITH LLVM-exception'],
  ])('%s is not', (licence) => {
    expect(isAllowed({ licence })).toBe(false);
  });

  test('are also of what is built into the console: all that its sources import, and that needs', () => {
    const folder = join(import.meta.dirname, '../../functions/console');
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));
    const imported = sources
      .flatMap((name) => readSource(name, readFileSync(join(folder, name), 'utf8')).imports)
      .flatMap(({ specifier = '', typeOnly }) => (typeOnly || specifier.startsWith('.') ? [] : specifier));
    const inside = new Set(imported.map((from) => from.replace(/^((?:@[^/]+\/)?[^/]+)\/.*$/, '$1')));
    for (const name of inside) {
      const { dependencies = {} } = packages[`node_modules/${name}`] as { dependencies?: object };
      for (const needed of Object.keys(dependencies)) inside.add(needed);
    }
    expect([...inside].sort()).toEqual([...IN_CONSOLE].sort());
  });

  test('have their texts in the notices, each once, with whose they are', async () => {
    const notices = await noticesOf(licensed(packages));
    expect(notices).toMatch(
      /^react 19\.\d+\.\d+, react-dom 19\.\d+\.\d+, scheduler .*\n\nMIT License\n\nCopyright .*Meta/m,
    );
    expect(notices).toMatch(/^hono 4\.\d+\.\d+\n\nMIT License\n\nCopyright .*Yusuke Wada/m);
    const apache = /Apache License\s+Version 2\.0, January 2004/g;
    expect([...notices.matchAll(apache)].length).toBeLessThan(20);
    expect(notices).toMatch(/^(.+, )?google-auth-library 10\.\d+\.\d+/m);
  });
});

describe('the list of components', () => {
  let list: Sbom;
  beforeAll(async () => {
    list = await sbom();
  });

  test('has every package that runs, with its version, digest and licence, and none that does not', () => {
    expect(list.bomFormat).toBe('CycloneDX');
    const of = (name: string, version: string) => `${name}@${version}`;
    const listed = list.components.map(({ name, version }) => of(name, version));
    for (const [name, version] of Object.entries<string>(manifest.dependencies)) {
      expect(listed).toContain(of(name, version));
    }
    const running = new Set(licensed(packages).map(({ name, version }) => of(name, version)));
    expect(new Set(list.components.map((one) => one['bom-ref'].replace(/^.*\|/, ''))).size).toBe(running.size);
    expect(listed).toContain(of('react-dom', manifest.devDependencies['react-dom']));
    expect(listed.some((name) => name.startsWith('vitest@'))).toBe(false);
    expect(list.components.filter(({ licenses, hashes }) => !licenses?.length || !hashes?.length)).toEqual([]);
  });

  test('says of each what it needs, which is on the list, too', () => {
    const refs = new Set(list.components.map((component) => component['bom-ref']));
    const needed = list.dependencies.flatMap(({ dependsOn }) => dependsOn);
    expect(needed.length).toBeGreaterThan(200);
    expect(needed.filter((ref) => !refs.has(ref))).toEqual([]);
  });
});

describe('Cloud Build', () => {
  const build = read('cloudbuild.yaml');
  const steps = build
    .slice(build.indexOf('steps:'), build.indexOf('\nartifacts:'))
    .split(/^ {2}- id: /m)
    .slice(1)
    .map((text) => ({ id: /^[\w-]+/.exec(text)?.[0], image: /^ {4}name: (.*)$/m.exec(text)?.[1] ?? '', text }));

  test('goes through all steps one after the other: nothing is applied that was not checked, tested and planned', () => {
    expect(steps.map(({ id }) => id)).toEqual([
      ...['bring-node', 'bring-terraform', 'install', 'audit', 'licences', 'sbom', 'check', 'test', 'build'],
      ...['plan', 'apply', 'smoke'],
    ]);
    expect(build).not.toMatch(/waitFor|allowFailure|allowExitCodes/);
    for (const { id, text } of steps) {
      const applies = text.includes('--apply-only') || text.includes('rollback');
      expect([id, applies]).toEqual([id, id === 'apply' || id === 'smoke']);
      if (applies) expect(text.indexOf('"$_APPLY" != true')).toBeGreaterThan(0);
    }
    expect(build).toMatch(/^ {2}_APPLY: 'false'$/m);
  });

  test('installs without scripts, and asks for nothing that package.json has not', () => {
    expect(steps.find(({ id }) => id === 'install')?.text).toContain('[ci, --ignore-scripts,');
    const inLists = [...build.matchAll(/args: \[run, ([\w:]+)\]/g)].map(([, script]) => script);
    const inShells = [...build.matchAll(/npm (?:run )?([\w:]+)/g)].map(([, script]) => script);
    expect(inLists).toEqual(['licences', 'sbom', 'check', 'build']);
    const scripts = inShells.slice(inShells.indexOf('test'));
    expect(scripts).toEqual(['test', 'deploy', 'deploy', 'deploy', 'rollback']);
    for (const script of [...inLists, ...scripts]) expect(Object.keys(manifest.scripts)).toContain(script);
  });

  test('runs in images of one version each, and tests where the emulators are', () => {
    for (const { image } of steps) expect(image).toMatch(/:\d+\.\d+\.\d+(-[a-z-]+)?$/);
    expect(steps.find(({ id }) => id === 'test')?.image).toContain('google-cloud-cli:528.0.0-emulators');
  });

  test.each([
    [
      'a step that waits for nobody',
      (text: string) => text.replace('  - id: apply\n', "  - id: apply\n    waitFor: ['-']\n"),
    ],
    [
      'a smoke test that nobody counts',
      (text: string) => text.replace('  - id: smoke\n', '  - id: smoke\n    allowFailure: true\n'),
    ],
  ])('%s would be seen', (_, breaking) => {
    const broken = breaking(build);
    expect(broken).not.toBe(build);
    expect(broken).toMatch(/waitFor|allowFailure/);
  });
});
