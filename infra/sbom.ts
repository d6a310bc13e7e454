/**
 * `npm run sbom`: what the service may run with, package by package, with versions, digests and licences, as CycloneDX in
 * `.build/sbom.json`. npm lists what the lock file holds, for whatever machine.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUILD_FOLDER } from './bundle.ts';
import { IN_CONSOLE } from './licences.ts';

/** The parts of CycloneDX that are looked at here. */
export type Sbom = {
  bomFormat: string;
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
};
type Component = {
  'bom-ref': string;
  name: string;
  version: string;
  licenses?: unknown[];
  hashes?: unknown[];
  properties?: { name: string; value: string }[];
};

/**
 * npm's list without what is for development alone. Its own `--omit dev` leaves out too much: whatever is also among the
 * `devDependencies`, with all that it needs.
 */
export async function sbom(): Promise<Sbom> {
  const { stdout } = await promisify(execFile)('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
    cwd: join(import.meta.dirname, '..'),
    maxBuffer: 64 * 1024 * 1024,
  });
  const whole: Sbom = JSON.parse(stdout);
  const gone = new Set(whole.components.filter(isForDevelopment).map((component) => component['bom-ref']));
  const components = whole.components.filter((component) => !gone.has(component['bom-ref']));
  const dependencies = whole.dependencies
    .filter(({ ref }) => !gone.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => !gone.has(other)) }));
  return { ...whole, components, dependencies };
}

function isForDevelopment({ name, properties = [] }: Component): boolean {
  if (IN_CONSOLE.includes(name)) return false;
  return properties.some(({ name }) => name === 'cdx:npm:package:development');
}

if (process.argv[1] === import.meta.filename) {
  const list = await sbom();
  const file = join(BUILD_FOLDER, 'sbom.json');
  await mkdir(BUILD_FOLDER, { recursive: true });
  await writeFile(file, `${JSON.stringify(list, null, 2)}\n`);
  console.log(`${list.components.length} packages are in ${file}`);
}
