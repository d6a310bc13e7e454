/**
 * Which models there are, and which of them can be used now. Adding a provider is its spec file, its provider file, its
 * transformer, and its entry in `PROVIDERS`.
 */
import { ServiceError } from '../core/errors.ts';
import type { JobModel } from '../core/job.ts';
import type { Clock, ListedModel, LlmProvider, ModelCatalog, ProviderFor } from '../core/ports.ts';
import { geminiSpecs } from './specs/gemini.ts';
import { openaiSpecs } from './specs/openai.ts';
import { openaiCompatibleSpecs } from './specs/openai-compatible.ts';
import { simulatedSpecs } from './specs/simulated.ts';
import { type ModelSpec, toJobModel } from './specs/spec.ts';

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
  /** How long a simulated answer takes. */
  simulatedMs: number;
  /** Which model a name runs as, in place of what the specs say: `gemini-pro` → `gemini-2.5-flash`. */
  modelAliases: ReadonlyMap<string, string>;
};

type ProviderEntry = {
  specs: (settings: ProviderSettings) => readonly ModelSpec[];
  /** The setting without which the provider cannot be called; absent when nothing is needed. */
  needs?: { variable: string; of: (settings: ProviderSettings) => string | undefined };
  load: (settings: ProviderSettings) => Promise<LlmProvider>;
};

const PROVIDERS: Record<string, ProviderEntry> = {
  simulated: {
    specs: () => simulatedSpecs,
    load: async (settings) => (await import('./providers/simulated.ts')).simulatedProvider(settings),
  },
  openai: {
    specs: () => openaiSpecs,
    needs: { variable: 'OPENAI_API_KEY', of: (settings) => settings.openaiApiKey },
    load: async ({ openaiApiKey: apiKey, openaiBaseUrl: baseUrl }) =>
      (await import('./providers/openai.ts')).openaiProvider({ apiKey, baseUrl }),
  },
  gemini: {
    specs: () => geminiSpecs,
    needs: { variable: 'GEMINI_API_KEY', of: (settings) => settings.geminiApiKey },
    load: async ({ geminiApiKey: apiKey, geminiBaseUrl: baseUrl }) =>
      (await import('./providers/gemini.ts')).geminiProvider({ apiKey, baseUrl }),
  },
  'openai-compatible': {
    specs: (settings) => openaiCompatibleSpecs(settings.openaiCompatibleModels),
    needs: { variable: 'OPENAI_COMPATIBLE_BASE_URL', of: (settings) => settings.openaiCompatibleBaseUrl },
    load: async ({ openaiCompatibleApiKey: apiKey, openaiCompatibleBaseUrl: baseUrl }) =>
      (await import('./providers/openai-compatible.ts')).openaiCompatibleProvider({ apiKey, baseUrl }),
  },
};

/** The catalog of all known models. `remote` names providers that others, who hold the keys, can call. */
export function modelCatalog(settings: ProviderSettings, remote: readonly string[] = []): ModelCatalog {
  const models: ListedModel[] = Object.values(PROVIDERS)
    .flatMap((entry) => entry.specs(settings))
    .map((spec) => ({ reference: spec.model, runs: toJobModel(withAlias(spec, settings)) }));
  const byReference = new Map<string, JobModel>();
  // The first one keeps a name that two have; with its provider before it each can be named.
  for (const { reference, runs } of models) {
    for (const name of [runs.id, reference, runs.name, `${runs.provider}/${reference}`]) {
      if (!byReference.has(name.toLowerCase())) byReference.set(name.toLowerCase(), runs);
    }
  }

  return {
    find: (reference) => byReference.get(reference.toLowerCase()),
    list: () => models,
    availability({ name, provider }) {
      const needs = PROVIDERS[provider]?.needs;
      if (!needs || needs.of(settings) || remote.includes(provider)) return { available: true };
      return { available: false, reason: `${name} cannot be used yet: set ${needs.variable} where the service runs.` };
    },
  };
}

function withAlias(spec: ModelSpec, { modelAliases }: ProviderSettings): ModelSpec {
  const runsAs = modelAliases.get(spec.model);
  return runsAs === undefined ? spec : { ...spec, runsAs };
}

/** Makes each provider once, on first use. */
export function providerLoader(settings: ProviderSettings): ProviderFor {
  const loaded = new Map<string, Promise<LlmProvider>>();
  return async (name) => {
    const entry = PROVIDERS[name];
    if (!entry) throw new ServiceError('model_unavailable', `No provider "${name}" is installed.`);
    if (entry.needs && !entry.needs.of(settings)) {
      throw new ServiceError('model_unavailable', `The worker has no ${entry.needs.variable}.`);
    }
    const provider = loaded.get(name) ?? entry.load(settings);
    loaded.set(name, provider);
    return provider;
  };
}
