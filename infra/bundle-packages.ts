/** What a bundle says of itself: the packages that stay outside of it, exactly as our own lock file has them. */
import { isBuiltin } from 'node:module';
import ours from '../package.json' with { type: 'json' };
import lockFile from '../package-lock.json' with { type: 'json' };
import { FILL_CACHE } from './bundle-cache.ts';
import type { Bundle } from './bundle-parts.ts';

export type Manifest = {
  name: string;
  version: string;
  private: true;
  type: 'module';
  main: string;
  scripts: { 'gcp-build': string };
  engines: { node: string };
  dependencies: Record<string, string>;
};

type Locked = {
  version?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  [field: string]: unknown;
};
export type Lock = {
  name: string;
  version: string;
  lockfileVersion: number;
  requires: true;
  packages: Record<string, Locked>;
};

const LOCKED = lockFile.packages as unknown as Record<string, Locked>;

/** What is deployed loads the bundle; nothing in the bundle names it. */
const ALWAYS = '@google-cloud/functions-framework';

/** The packages that a bundle leaves outside, but for what its packages only try to load. */
export function externalsOf({ outputs }: Bundle): string[] {
  const outside = Object.values(outputs).flatMap(({ imports }) =>
    imports.filter(({ external, path }) => external && !isBuiltin(path)).map(({ path }) => path),
  );
  const names = outside.map((path) => path.split('/', path.startsWith('@') ? 2 : 1).join('/'));
  return [...new Set([ALWAYS, ...names])].filter((name) => name in ours.dependencies).sort();
}

/** The bundle's package.json. */
export function manifestOf(name: string, bundle: Bundle): Manifest {
  const { version, engines } = ours;
  const dependencies = Object.fromEntries(
    externalsOf(bundle).map((external) => [external, LOCKED[`node_modules/${external}`]?.version ?? 'missing']),
  );
  const scripts = { 'gcp-build': FILL_CACHE };
  const named = { name: `llm-jobs-${name}`, version, private: true, type: 'module', main: 'index.js' } as const;
  return { ...named, scripts, engines, dependencies };
}

/** Its package-lock.json: of ours, the packages that its own can reach. `npm ci` installs the very same files. */
export function lockOf(manifest: Manifest): Lock {
  const { name, version, engines, dependencies } = manifest;
  const reached = new Map<string, Locked>();
  const reach = (from: string, wanted: string) => {
    const path = resolved(from, wanted);
    if (path === undefined || reached.has(path)) return;
    const { dev: _dev, peer: _peer, ...locked } = LOCKED[path] ?? {};
    reached.set(path, locked);
    const { dependencies: needed, optionalDependencies: optional, peerDependencies: peers } = locked;
    for (const next of Object.keys({ ...needed, ...optional, ...peers })) reach(path, next);
  };
  for (const wanted of Object.keys(dependencies)) reach('', wanted);
  const packages = Object.fromEntries([...reached].sort(([left], [right]) => (left < right ? -1 : 1)));
  return {
    name,
    version,
    lockfileVersion: lockFile.lockfileVersion,
    requires: true,
    packages: { '': { name, version, engines, dependencies }, ...packages },
  };
}

/** Where Node finds a package that is asked for in `from`: the nearest `node_modules` above it. Optional peers may be absent. */
function resolved(from: string, wanted: string): string | undefined {
  const path = `${from === '' ? '' : `${from}/`}node_modules/${wanted}`;
  if (path in LOCKED || from === '') return path in LOCKED ? path : undefined;
  return resolved(from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/'))), wanted);
}
