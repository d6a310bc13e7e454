/**
 * `npm run licences`: the licence of every package that the service may run with or hands out, as the lock file has it; ends with 1, and
 * names them, where one has none, or one that is not on the list here. With `--notices` the texts of those licences as they
 * lie in the packages that are installed, for whoever hands out the bundles.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/** By their SPDX names: those that ask for no more than to be named, or for nothing. */
const ALLOWED: ReadonlySet<string> = new Set([
  ...['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC', 'MIT', 'Unlicense'],
  // Of data: the list of SPDX's exceptions.
  'CC-BY-3.0',
]);

/** For development by the lock file, and yet handed out: they are built into the console. */
export const IN_CONSOLE: readonly string[] = ['react', 'react-dom', 'scheduler'];

/** A package as `package-lock.json` has it; `dev`: nothing that the service runs with needs it. */
export type LockedPackage = {
  version?: string;
  /** Of an alias: whose package it is. */
  name?: string;
  license?: string;
  dev?: boolean;
  integrity?: string;
  resolved?: string;
  link?: boolean;
  hasInstallScript?: boolean;
};

/** The packages of a lock file, by the folder that each is installed in. */
export type LockedPackages = { [folder: string]: LockedPackage };

/** A package that the service may run with. */
export type Licensed = { name: string; version: string; licence: string | undefined; folder: string };

/** The packages that the lock file of this project holds. */
export async function lockedPackages(): Promise<LockedPackages> {
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));
  return packages;
}

/** What a package that is installed in this folder is called. */
export function nameOf(folder: string, { name }: LockedPackage): string {
  return name ?? folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** Those that the service may run with, on whatever machine, or hands out, by name. */
export function licensed(packages: LockedPackages): Licensed[] {
  return Object.entries(packages)
    .filter(([folder, locked]) => folder !== '' && (!locked.dev || IN_CONSOLE.includes(nameOf(folder, locked))))
    .map(([folder, locked]) => ({
      name: nameOf(folder, locked),
      version: locked.version ?? '',
      licence: locked.license,
      folder,
    }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Of an expression each licence must be on the list, also where one of them would do: then people decide. */
export function isAllowed({ licence = '' }: Pick<Licensed, 'licence'>): boolean {
  const names = licence.split(/ (?:AND|OR) |[()]/).filter((name) => name !== '');
  return names.length > 0 && names.every((name) => ALLOWED.has(name));
}

/** The licence texts in the folder of a package, and what it wants to be said with them. */
async function textsOf(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^(licen[cs]e|copying|notice)\b.*(?<!\.[jt]s)$/i.test(name));
  const texts = await Promise.all(names.sort().map((name) => readFile(join(folder, name), 'utf8')));
  return texts.map((text) => text.trim());
}

/** The notices of those that are installed here: one part for each text, with the packages that have it. */
export async function noticesOf(packages: readonly Licensed[]): Promise<string> {
  const holders = new Map<string, string[]>();
  for (const { name, version, licence, folder } of packages) {
    const installed = join(ROOT, folder);
    if (!existsSync(installed)) continue;
    const texts = await textsOf(installed);
    const text = texts.length > 0 ? texts.join('\n\n') : `(The package holds no text. Its licence: ${licence})`;
    holders.set(text, [...(holders.get(text) ?? []), `${name} ${version}`]);
  }
  return [...holders].map(([text, names]) => `${names.join(', ')}\n\n${text}\n`).join(`\n${'-'.repeat(80)}\n\n`);
}

if (process.argv[1] === import.meta.filename) {
  const packages = licensed(await lockedPackages());
  if (process.argv.includes('--notices')) {
    console.log(await noticesOf(packages));
  } else {
    const { printTable } = await import('./operating.ts');
    printTable(
      ['package', 'version', 'licence'],
      packages.map(({ name, version, licence }) => [name, version, licence ?? '-']),
    );
  }
  for (const { name, version, licence } of packages.filter((one) => !isAllowed(one))) {
    console.error(
      `${name} ${version}: ${licence ? `${licence} is not on the list` : 'no licence'} (infra/licences.ts)`,
    );
    process.exitCode = 1;
  }
}
