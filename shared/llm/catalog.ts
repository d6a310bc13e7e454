/**
 * Which models there are, and which of them can be used now. Adding a provider is its spec file, its provider file, its
 * transformer, and its entry in `PROVIDERS`.
 */
import leven from 'leven';
import { ServiceError } from '../core/errors.ts';
import type { JobModel } from '../core/job.ts';
import type { ListedModel, LlmProvider, ModelCatalog, ProviderFor } from '../core/llm.ts';
import type { Clock } from '../core/ports.ts';
import { redactedProvider } from './providers/redacted.ts';
import { geminiSpecs } from './specs/gemini.ts';
import { openaiSpecs } from './specs/openai.ts';
import { openaiCompatibleSpecs } from './specs/openai-compatible.ts';
import { simulatedSpecs } from './specs/simulated.ts';
import { type ModelSpec, toJobModel } from './specs/spec.ts';
import { vertexSpecs } from './specs/vertex.ts';

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
  vertexProject?: string | undefined;
  /** A region, or `global`, which it is when absent. */
  vertexLocation?: string | undefined;
  vertexBaseUrl?: string | undefined;
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
  vertex: {
    specs: () => vertexSpecs,
    needs: { variable: 'VERTEX_PROJECT', of: (settings) => settings.vertexProject },
    load: async ({ vertexProject: project = '', vertexLocation: location = 'global', vertexBaseUrl: baseUrl }) =>
      (await import('./providers/vertex.ts')).vertexProvider({ project, location, baseUrl }),
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
  const specs = Object.values(PROVIDERS).flatMap((entry) => entry.specs(settings));
  const successors = resolveAliases(specs, settings.modelAliases);
  const models: ListedModel[] = specs.map((spec) => ({
    reference: spec.model,
    runs: toJobModel({ ...spec, ...successors.get(spec) }),
  }));
  const isUsable = ({ runs: { provider } }: ListedModel) => {
    const needs = PROVIDERS[provider]?.needs;
    return !needs || Boolean(needs.of(settings)) || remote.includes(provider);
  };
  const byReference = new Map<string, JobModel>();
  const name = (reference: string, { runs }: ListedModel) => {
    if (!byReference.has(reference.toLowerCase())) byReference.set(reference.toLowerCase(), runs);
  };
  // A name that two providers have means the one that can be used; `provider/name` comes last, for it may be a name, too.
  const usableFirst = [...models.filter(isUsable), ...models.filter((model) => !isUsable(model))];
  for (const model of usableFirst) for (const each of [model.runs.id, model.reference]) name(each, model);
  for (const model of usableFirst) name(model.runs.name, model);
  for (const model of usableFirst) name(`${model.runs.provider}/${model.reference}`, model);

  return {
    find: (reference) => byReference.get(reference.toLowerCase()),
    near: (reference) => nearest(reference, [...byReference.keys()]),
    list: () => models,
    availability(model) {
      if (isUsable({ reference: '', runs: model })) return { available: true };
      const variable = PROVIDERS[model.provider]?.needs?.variable;
      return { available: false, reason: `${model.name} cannot be used yet: set ${variable} where the service runs.` };
    },
  };
}

const NEAR_MOST = 3;

/** The names that were most likely meant; none where nothing looks alike. */
function nearest(reference: string, names: readonly string[]): string[] {
  const asked = reference.toLowerCase();
  return names
    .map((name) => ({ name, distance: leven(asked, name, { maxDistance: Math.ceil(asked.length / 3) }) }))
    .filter(({ distance }) => distance < Math.ceil(asked.length / 3))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, NEAR_MOST)
    .map(({ name }) => name);
}

/** What `MODEL_ALIASES` sets for which spec. Throws a sentence for people when it names what is not there. */
function resolveAliases(
  specs: readonly ModelSpec[],
  aliases: ReadonlyMap<string, string>,
): Map<ModelSpec, { runsAs: string }> {
  const find = (reference: string) => specs.find((spec) => spec.model.toLowerCase() === reference.toLowerCase());
  return new Map(
    [...aliases].map(([from, to]) => {
      const [spec, target] = [find(from), find(to)];
      if (!spec || !target) throw new Error(`MODEL_ALIASES: there is no model "${spec ? to : from}".`);
      if (spec.provider !== target.provider) {
        throw new Error(`MODEL_ALIASES: ${from} is a model of ${spec.provider}, ${to} of ${target.provider}.`);
      }
      // A successor that was retired itself, too, runs as its own.
      return [spec, { runsAs: target === spec ? spec.model : (target.runsAs ?? target.model) }];
    }),
  );
}

/** Every key that this process holds. */
function secretsIn({ openaiApiKey, openaiCompatibleApiKey, geminiApiKey }: ProviderSettings): string[] {
  return [openaiApiKey, openaiCompatibleApiKey, geminiApiKey].filter((key) => key !== undefined);
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
    const provider =
      loaded.get(name) ?? entry.load(settings).then((plain) => redactedProvider(plain, secretsIn(settings)));
    loaded.set(name, provider);
    return provider;
  };
}
