/**
 * Which providers there are. The built-in ones are data here; a program adds its own while it runs, before it makes a
 * call with them.
 */
import { invalidRequest, ServiceError } from '../core/errors.ts';
import type { LlmProvider } from '../core/llm.ts';
import type { Clock } from '../core/ports.ts';
import type { SUPPORTED_PROVIDERS } from './constants.ts';
import { didYouMean } from './near-names.ts';
import type { ModelSpec, NewModelSpec } from './specs/model-spec.ts';
import { openaiCompatibleSpecs } from './specs/openai-compatible.ts';
import { modelSpecs } from './specs/registry.ts';
import { stackedMap } from './stacked-map.ts';
import type { Transformer } from './transformers/transformer.ts';

/** What providers are made with. */
export type ProviderSettings = {
  clock: Clock;
  openaiApiKey?: string | undefined;
  openaiBaseUrl?: string | undefined;
  openaiCompatibleApiKey?: string | undefined;
  openaiCompatibleBaseUrl?: string | undefined;
  /** The names of the models that the compatible server has. */
  openaiCompatibleModels: readonly string[];
  geminiApiKey?: string | undefined;
  geminiBaseUrl?: string | undefined;
  anthropicApiKey?: string | undefined;
  anthropicBaseUrl?: string | undefined;
  vertexProject?: string | undefined;
  /** A region, or `global`, which it is when absent. */
  vertexLocation?: string | undefined;
  vertexBaseUrl?: string | undefined;
  /** How long a simulated answer takes. */
  simulatedMs: number;
  /** Which model a name runs as, in place of what the specs say: `gemini-pro` → `gemini-2.5-flash`. */
  modelAliases: ReadonlyMap<string, string>;
};

/** What the library's user gives a provider. `never`: only the provider knows of which types they are. */
export type ProviderOptions = {
  /** A ready client of the vendor's SDK, or what stands for one in a test. */
  client?: never;
  /** In place of the provider's own transformer. */
  transform?: Transformer<never>;
};

/** One provider: how it is made, and what it needs. */
export type ProviderEntry = {
  /** Models that only the settings name; the others are registered as specs. */
  specs?: (settings: ProviderSettings) => readonly ModelSpec[];
  /** The setting without which the provider cannot be called; absent when nothing is needed. */
  needs?: { variable: string; of: (settings: ProviderSettings) => string | undefined };
  /** Its key, which is kept out of all that an error says. */
  secret?: (settings: ProviderSettings) => string | undefined;
  /** Where it is, in any words that differ where its answers may; absent: there is only one. */
  address?: (settings: ProviderSettings) => string | undefined;
  /** Makes the provider; its SDK is loaded here, with `await import`, and not before. */
  load: (settings: ProviderSettings, options: ProviderOptions) => Promise<LlmProvider>;
};

const BUILT_IN: { readonly [name in (typeof SUPPORTED_PROVIDERS)[number]]: ProviderEntry } = {
  simulated: {
    load: async (settings) => (await import('./providers/simulated.ts')).simulatedProvider(settings),
  },
  openai: {
    needs: { variable: 'OPENAI_API_KEY', of: (settings) => settings.openaiApiKey },
    secret: (settings) => settings.openaiApiKey,
    address: (settings) => settings.openaiBaseUrl,
    load: async ({ openaiApiKey: apiKey, openaiBaseUrl: baseUrl }, options) =>
      (await import('./providers/openai.ts')).openaiProvider({ apiKey, baseUrl, ...options }),
  },
  gemini: {
    needs: { variable: 'GEMINI_API_KEY', of: (settings) => settings.geminiApiKey },
    secret: (settings) => settings.geminiApiKey,
    address: (settings) => settings.geminiBaseUrl,
    load: async ({ geminiApiKey: apiKey, geminiBaseUrl: baseUrl }, options) =>
      (await import('./providers/gemini.ts')).geminiProvider({ apiKey, baseUrl, ...options }),
  },
  anthropic: {
    needs: { variable: 'ANTHROPIC_API_KEY', of: (settings) => settings.anthropicApiKey },
    secret: (settings) => settings.anthropicApiKey,
    address: (settings) => settings.anthropicBaseUrl,
    load: async ({ anthropicApiKey: apiKey, anthropicBaseUrl: baseUrl }, options) =>
      (await import('./providers/anthropic.ts')).anthropicProvider({ apiKey, baseUrl, ...options }),
  },
  vertex: {
    needs: { variable: 'VERTEX_PROJECT', of: (settings) => settings.vertexProject },
    address: ({ vertexProject, vertexLocation, vertexBaseUrl }) =>
      JSON.stringify([vertexProject, vertexLocation, vertexBaseUrl]),
    load: async (settings, options) => {
      const { vertexProject: project = '', vertexLocation: location = 'global', vertexBaseUrl: baseUrl } = settings;
      return (await import('./providers/vertex.ts')).vertexProvider({
        project,
        location,
        baseUrl,
        ...options,
      });
    },
  },
  'openai-compatible': {
    specs: (settings) => openaiCompatibleSpecs(settings.openaiCompatibleModels),
    needs: { variable: 'OPENAI_COMPATIBLE_BASE_URL', of: (settings) => settings.openaiCompatibleBaseUrl },
    secret: (settings) => settings.openaiCompatibleApiKey,
    address: (settings) => settings.openaiCompatibleBaseUrl,
    load: async ({ openaiCompatibleApiKey: apiKey, openaiCompatibleBaseUrl: baseUrl }, options) =>
      (await import('./providers/openai-compatible.ts')).openaiCompatibleProvider({
        apiKey,
        baseUrl,
        ...options,
      }),
  },
};

const providers = stackedMap<ProviderEntry>(Object.entries(BUILT_IN));
const transformers = stackedMap<Transformer<unknown>>();

/**
 * Adds a provider, or replaces one of that name. The answer takes it back. Throws `invalid_request` that names every wrong
 * field.
 */
export function registerProvider(name: string, entry: ProviderEntry): () => void {
  const wrong = [...wrongName(name), ...wrongEntry(entry)];
  if (wrong.length > 0) throw invalidRequest(wrong);
  return providers.add(name, entry);
}

/**
 * Makes a provider, known or yet to be registered, send what this transformer says, in place of its own. The answer takes
 * it back. Throws `invalid_request` for what is no function.
 */
export function registerTransformer(name: string, transformer: Transformer<unknown>): () => void {
  const wrong = wrongName(name);
  if (typeof transformer !== 'function') wrong.push({ path: 'transformer', message: 'must be a function' });
  if (wrong.length > 0) throw invalidRequest(wrong);
  return transformers.add(name, transformer);
}

/**
 * Adds models, or replaces those of the same provider and name; they are listed as soon as their provider is registered.
 * The answer takes them back. Throws `invalid_request` that names every wrong field.
 */
export function registerSpecs(specs: readonly NewModelSpec[]): () => void {
  return modelSpecs.register(specs);
}

/** The names of all providers, those that a program registered included. */
export function supportedProviders(): string[] {
  return providers.entries().map(([name]) => name);
}

/** All providers with their names. */
export function providerEntries(): [string, ProviderEntry][] {
  return providers.entries();
}

/** One provider. Throws `unsupported_provider`, naming those that look alike. */
export function providerEntry(name: string): ProviderEntry {
  const entry = providers.get(name);
  if (entry) return entry;
  const names = supportedProviders();
  const near = didYouMean(name, names) || `; there are ${names.join(', ')}.`;
  throw new ServiceError('unsupported_provider', `There is no provider "${name.slice(0, NAME_MOST)}"${near}`);
}

/** What was registered to transform requests for this provider. */
export function transformerFor(name: string): Transformer<never> | undefined {
  // Whoever registered it answers for its body.
  return transformers.get(name) as Transformer<never> | undefined;
}

/** The specs of a provider's models, under these settings; what was registered says more than a setting. */
export function specsOfProvider(name: string, settings: ProviderSettings): ModelSpec[] {
  const named = providers.get(name)?.specs?.(settings) ?? [];
  return [...modelSpecs.list(name), ...named.filter(({ modelName }) => !modelSpecs.find(name, modelName))];
}

/** Another text after each registration, and after each that is taken back. */
export function registryRevision(): string {
  return `${providers.revision()}-${transformers.revision()}-${modelSpecs.revision()}`;
}

/**
 * Where each provider is, with what was registered until then: another provider, transformer or spec may answer the same
 * request otherwise. Processes of one program register the same in the same order, and so agree.
 */
export function providerAddresses(settings: ProviderSettings): (name: string) => string {
  return (name) => JSON.stringify([providers.get(name)?.address?.(settings) ?? null, registryRevision()]);
}

const NAME_MOST = 64;

function wrongName(name: string) {
  const message = 'must be lower-case letters, digits and hyphens, at most 64';
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(name) ? [] : [{ path: 'name', message }];
}

function wrongEntry(entry: ProviderEntry) {
  const given: { readonly [field in keyof ProviderEntry]?: unknown } = entry ?? {};
  const wrong: { path: string; message: string }[] = [];
  if (typeof given.load !== 'function') wrong.push({ path: 'entry.load', message: 'must be a function' });
  for (const field of ['specs', 'secret', 'address'] as const) {
    if (given[field] === undefined || typeof given[field] === 'function') continue;
    wrong.push({ path: `entry.${field}`, message: 'must be a function' });
  }
  if (given.needs === undefined) return wrong;
  const { variable, of } = (given.needs ?? {}) as { variable?: unknown; of?: unknown };
  if (typeof variable !== 'string' || variable === '') {
    wrong.push({ path: 'entry.needs.variable', message: 'must be the name of a setting' });
  }
  if (typeof of !== 'function') wrong.push({ path: 'entry.needs.of', message: 'must be a function' });
  return wrong;
}
