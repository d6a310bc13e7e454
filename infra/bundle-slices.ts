/** What a bundle takes of a package whose whole is far more than we use of it. Where nothing is bundled, the whole is loaded. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
import { clientScriptInside } from './client-script.ts';
import { consoleInside } from './console.ts';

const require = createRequire(import.meta.url);

/**
 * All calls go through Firestore's low-level client. The package's whole is a high-level client and a
 * megabyte of protocol code around it, and has no entrance to the low-level one alone.
 */
const lowLevelFirestore: Plugin = {
  name: 'low-level-firestore',
  setup({ onResolve, onLoad }) {
    const namespace = 'low-level-firestore';
    const folder = dirname(require.resolve('@google-cloud/firestore/package.json'));
    onResolve({ filter: /^@google-cloud\/firestore$/ }, ({ importer }) =>
      importer.endsWith('/firestore-client.ts') ? { path: 'v1', namespace } : undefined,
    );
    const client = join(folder, 'build', 'src', 'v1', 'firestore_client.js');
    onLoad({ filter: /.*/, namespace }, () => ({
      contents: `import { FirestoreClient } from ${JSON.stringify(client)};\nexport default { v1: { FirestoreClient } };`,
      resolveDir: folder,
    }));
  },
};

/**
 * Google's clients bring what they say to services along as JSON, and build all of it before their first call. Half of it
 * describes the description: HTTP paths, languages' settings, the format itself. What is said needs none of that.
 */
const leanProtos: Plugin = {
  name: 'lean-protos',
  setup({ onLoad }) {
    onLoad({ filter: /@google-cloud\/(firestore|pubsub)\/build\/protos\/(v1|protos)\.json$/ }, async ({ path }) => {
      const described = JSON.parse(await readFile(path, 'utf8'));
      const { api: _, ...google } = described.nested.google.nested;
      const wellKnown = Object.entries(google.protobuf.nested).filter(([name]) => WELL_KNOWN.test(name));
      const protobuf = { ...google.protobuf, nested: Object.fromEntries(wellKnown) };
      described.nested.google.nested = { ...google, protobuf };
      return { contents: JSON.stringify(described), loader: 'json' };
    });
  },
};
const WELL_KNOWN = /(Value|^Any|^Duration|^Empty|^FieldMask|^Struct|^Timestamp)$/;

/** Firestore's client makes another client with itself, of a service that lists regions. Nobody asks for that. */
const noLocations: Plugin = {
  name: 'no-locations',
  setup({ onLoad }) {
    onLoad({ filter: /google-gax\/build\/src\/locationService\.js$/ }, () => ({
      contents: 'exports.LocationsClient = class { async close() {} };',
    }));
  },
};

/** zod says what is wrong in fifty languages; we say it in English. */
const englishZod: Plugin = {
  name: 'english-zod',
  setup({ onResolve, onLoad }) {
    const namespace = 'english-zod';
    onResolve({ filter: /^\.\.\/locales\/index\.js$/ }, ({ resolveDir }) =>
      /\/zod\/v4\/\w+$/.test(resolveDir) ? { path: dirname(resolveDir), namespace } : undefined,
    );
    onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: "export { default as en } from './locales/en.js';",
      resolveDir: path,
    }));
  },
};

/** What we take of CommonJS packages that are loaded on first use. Node finds such names by itself; esbuild exports the default alone. */
const NAMES: { readonly [module: string]: readonly string[] } = {
  '@google-cloud/pubsub/build/src/v1/publisher_client.js': ['PublisherClient'],
  'ajv/dist/2020.js': ['Ajv2020'],
  'google-auth-library': ['GoogleAuth'],
  'google-gax': ['grpc'],
  'https-proxy-agent': ['HttpsProxyAgent'],
  redis: ['createClient', 'ErrorReply'],
};

const namedExports: Plugin = {
  name: 'named-exports',
  setup({ onResolve, onLoad }) {
    const namespace = 'named-exports';
    onResolve({ filter: /^[^.]/ }, ({ kind, path, resolveDir }) =>
      kind === 'dynamic-import' && NAMES[path] ? { path, namespace, pluginData: resolveDir } : undefined,
    );
    onLoad({ filter: /.*/, namespace }, ({ path, pluginData: resolveDir }) => ({
      contents: `export { ${NAMES[path]?.join(', ')} } from ${JSON.stringify(path)};`,
      resolveDir,
    }));
  },
};

export const SLICES: readonly Plugin[] = [
  lowLevelFirestore,
  leanProtos,
  noLocations,
  englishZod,
  namedExports,
  clientScriptInside,
  consoleInside,
];
