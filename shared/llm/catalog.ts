/**
 * Which models there are, and which of them can be used now. Adding a provider is its spec file, its provider file and
 * its line in `PROVIDERS`.
 */
import { ServiceError } from '../core/errors.ts';
import type { JobModel } from '../core/job.ts';
import type { Clock, LlmProvider, ModelCatalog, ProviderFor } from '../core/ports.ts';
import { openaiSpecs } from './specs/openai.ts';
import { simulatedSpecs } from './specs/simulated.ts';
import type { ModelSpec } from './specs/spec.ts';

/** What providers are made with. */
export type ProviderSettings = {
  clock: Clock;
  openaiApiKey?: string | undefined;
  openaiBaseUrl?: string | undefined;
  /** How long a simulated answer takes. */
  simulatedMs: number;
};

type ProviderEntry = {
  specs: readonly ModelSpec[];
  /** The setting that holds the key; absent when none is needed. */
  keyVariable?: string;
  keyOf?: (settings: ProviderSettings) => string | undefined;
  load: (settings: ProviderSettings) => Promise<LlmProvider>;
};

const PROVIDERS: Record<string, ProviderEntry> = {
  simulated: {
    specs: simulatedSpecs,
    load: async (settings) => (await import('./providers/simulated.ts')).simulatedProvider(settings),
  },
  openai: {
    specs: openaiSpecs,
    keyVariable: 'OPENAI_API_KEY',
    keyOf: (settings) => settings.openaiApiKey,
    load: async (settings) => (await import('./providers/openai.ts')).openaiProvider(settings),
  },
};

/** The providers that have what they need: a key, or no need of one. */
export function configuredProviders(settings: ProviderSettings): string[] {
  return Object.entries(PROVIDERS)
    .filter(([, entry]) => !entry.keyOf || entry.keyOf(settings))
    .map(([name]) => name);
}

/** The catalog of all known models. `configured` names the providers that can be called. */
export function modelCatalog(configured: readonly string[]): ModelCatalog {
  const models: JobModel[] = Object.values(PROVIDERS).flatMap((entry) => entry.specs);
  const byReference = new Map<string, JobModel>();
  for (const model of models) {
    for (const reference of [model.id, model.model, model.name]) byReference.set(reference.toLowerCase(), model);
  }
  return {
    find: (reference) => byReference.get(reference.toLowerCase()),
    list: () => models,
    availability(model) {
      if (configured.includes(model.provider)) return { available: true };
      const variable = PROVIDERS[model.provider]?.keyVariable;
      return { available: false, reason: `${model.name} needs an API key: set ${variable} where the service runs.` };
    },
  };
}

/** Makes each provider once, on first use. */
export function providerLoader(settings: ProviderSettings): ProviderFor {
  const loaded = new Map<string, Promise<LlmProvider>>();
  return (name) => {
    const entry = PROVIDERS[name];
    if (!entry) throw new ServiceError('model_unavailable', `No provider "${name}" is installed.`);
    if (entry.keyOf && !entry.keyOf(settings)) {
      throw new ServiceError('model_unavailable', `The worker has no ${entry.keyVariable}.`);
    }
    const provider = loaded.get(name) ?? entry.load(settings);
    loaded.set(name, provider);
    return provider;
  };
}
