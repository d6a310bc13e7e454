/** Of all that was bundled together: what one function's bundle has of it, and what of that is loaded when. */
import type { Metafile } from 'esbuild';

/** `start` is the file that the framework loads. */
export type Bundle = { start: string; outputs: Metafile['outputs'] };

/** The bundle that begins with this file: all that can be reached from it. */
export function bundleIn({ outputs }: Pick<Metafile, 'outputs'>, start: string): Bundle {
  const reached = reachable(outputs, start, ['import-statement', 'dynamic-import']);
  return {
    start,
    outputs: Object.fromEntries(reached.flatMap((file) => (outputs[file] ? [[file, outputs[file]]] : []))),
  };
}

/** The files that are loaded with one that is loaded: all that is imported by statement, itself first. */
export function loadedWith({ outputs }: Bundle, file: string): string[] {
  return reachable(outputs, file, ['import-statement']);
}

function reachable(outputs: Metafile['outputs'], first: string, kinds: readonly string[]): string[] {
  const reached = new Set([first]);
  for (const file of reached) {
    for (const { kind, path, external } of outputs[file]?.imports ?? []) {
      if (kinds.includes(kind) && !external) reached.add(path);
    }
  }
  return [...reached];
}

/** The file whose source begins with what this one exports: where a dynamic import of it leads. */
export function entryOf({ outputs }: Bundle, source: string): string | undefined {
  return Object.keys(outputs).find((file) => outputs[file]?.entryPoint === source);
}

/** The sources that left something in these files. */
export function sourcesIn({ outputs }: Bundle, files: readonly string[]): string[] {
  return files.flatMap((file) =>
    Object.entries(outputs[file]?.inputs ?? {}).flatMap(([source, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [source] : [],
    ),
  );
}

export function bytesOf({ outputs }: Bundle, files: readonly string[]): number {
  return files.reduce((sum, file) => sum + (outputs[file]?.bytes ?? 0), 0);
}

/** For people: kilobytes at the start, and of everything. */
export function sizesOf(bundle: Bundle) {
  const kilobytes = (files: readonly string[]) => Math.round(bytesOf(bundle, files) / 1_000);
  const all = Object.keys(bundle.outputs);
  return { 'at start, kB': kilobytes(loadedWith(bundle, bundle.start)), 'all, kB': kilobytes(all), files: all.length };
}
