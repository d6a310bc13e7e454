/**
 * What of a start is whose: Node's sampling profile says in which line the processor was, and esbuild's comments in a bundle
 * say which source a line comes from. What a module costs is the time in its own code, its evaluation and its first calls,
 * not that of what it calls; compiling is in none of them where Node does it before the code runs.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

type Profile = {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    positionTicks?: { line: number; ticks: number }[];
  }[];
  samples: number[];
  timeDeltas: number[];
};

/** Milliseconds of processor time by module; idle time is nobody's. */
export function timesIn(folder: string): Map<string, number> {
  const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
  const spentMs = new Map<number, number>();
  for (const [n, id] of samples.entries())
    spentMs.set(id, (spentMs.get(id) ?? 0) + Math.max(0, timeDeltas[n] ?? 0) / 1_000);
  const times = new Map<string, number>();
  const add = (module: string, ms: number) => times.set(module, (times.get(module) ?? 0) + ms);
  for (const { id, callFrame, positionTicks = [] } of nodes) {
    const ms = spentMs.get(id) ?? 0;
    const ticks = positionTicks.reduce((sum, one) => sum + one.ticks, 0);
    if (ms === 0 || callFrame.functionName === '(idle)') continue;
    if (ticks === 0) add(moduleAt(callFrame.url, callFrame.lineNumber + 1, callFrame.functionName), ms);
    for (const { line, ticks: here } of positionTicks)
      add(moduleAt(callFrame.url, line, callFrame.functionName), (ms * here) / ticks);
  }
  return times;
}

/** Which module a line belongs to; of Node itself, which kind of work. */
function moduleAt(url: string, line: number, functionName: string): string {
  if (functionName === '(garbage collector)') return 'Node: garbage collection';
  if (/^(compile|wrapSafe|internalCompile)/.test(functionName)) return 'Node: compiling';
  if (url.startsWith('node:internal/modules')) return 'Node: finding and linking modules';
  if (url.startsWith('node:')) return 'Node: its library';
  if (!url.startsWith('file:')) return 'Node: native code';
  const path = fileURLToPath(url);
  const sources = sourcesOf(path);
  return moduleOf(sources[Math.min(line, sources.length) - 1] ?? path);
}

const sourcesByFile = new Map<string, string[]>();

/** The source of each line of a file: in a bundle, what the last comment with a path says. */
function sourcesOf(path: string): string[] {
  const known = sourcesByFile.get(path);
  if (known) return known;
  let source = path;
  const found = readFileSync(path, 'utf8')
    .split('\n')
    .map((text) => {
      const [, named] = /^\s*\/\/ ((?:[\w.-]+:)?[@\w./-]+\.\w+|[\w-]+:\S+)$/.exec(text) ?? [];
      if (named && isBundled(path)) source = named;
      return source;
    });
  sourcesByFile.set(path, found);
  return found;
}

const isBundled = (path: string) => path.includes('/.build/');

/** The package of a source, or the folder of ours; all that no bundle holds is the framework's. */
function moduleOf(source: string): string {
  if (source.startsWith('/') && !isBundled(source)) return 'functions-framework, with its packages';
  const [packageName] = source.match(/(?<=node_modules\/)((?:@[^/]+\/)?[^/]+)(?=\/(?!.*node_modules\/))/) ?? [];
  if (packageName) return packageName;
  const [ours] = source.match(/(?:shared|functions)\/(?:[^/]+(?=\/))?/) ?? [];
  return ours ? `ours: ${ours.replace(/\/$/, '')}` : 'ours: the bundle’s glue';
}

type Coverage = { result: { url: string }[] };

/** The files that a process loaded, as its coverage (`NODE_V8_COVERAGE`) names them. */
export function filesIn(folder: string): string[] {
  const urls = readdirSync(folder).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Coverage;
    return result.map(({ url }) => url);
  });
  return [...new Set(urls.filter((url) => url.startsWith('file:')).map((url) => fileURLToPath(url)))];
}

/** Bytes by module of these files. */
export function bytesIn(files: readonly string[]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const file of files) {
    if (!isBundled(file)) {
      const module = moduleOf(file);
      bytes.set(module, (bytes.get(module) ?? 0) + statSync(file).size);
      continue;
    }
    const sources = sourcesOf(file);
    for (const [n, text] of readFileSync(file, 'utf8').split('\n').entries()) {
      const module = moduleOf(sources[n] ?? file);
      bytes.set(module, (bytes.get(module) ?? 0) + Buffer.byteLength(text) + 1);
    }
  }
  return bytes;
}
