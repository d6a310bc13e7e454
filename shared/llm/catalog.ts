/** Which models there are, and which of them can be used now. */
import type { JobModel } from '../core/job.ts';
import type { ListedModel, ModelCatalog } from '../core/llm.ts';
import { nearNames } from './near-names.ts';
import { type ProviderSettings, providerEntries, registryRevision, specsOfProvider } from './provider-registry.ts';
import { CAPABILITIES, type ModelSpec, toJobModel } from './specs/model-spec.ts';

/** What is wrong with `MODEL_ALIASES`, one sentence for each that is. */
export class AliasError extends Error {
  readonly sentences: readonly string[];

  constructor(sentences: readonly string[]) {
    super(sentences.map((sentence) => `MODEL_ALIASES ${sentence}.`).join(' '));
    this.sentences = sentences;
  }
}

/**
 * The catalog of all known models, those included that are registered later. `remote` names providers that others, who
 * hold the keys, can call. Throws an `AliasError` when an alias names what is not there.
 */
export function modelCatalog(settings: ProviderSettings, remote: readonly string[] = []): ModelCatalog {
  let known = index(settings, remote);
  let revision = registryRevision();
  const current = () => {
    if (revision !== registryRevision()) {
      known = index(settings, remote);
      revision = registryRevision();
    }
    return known;
  };
  return {
    find: (reference) => current().byReference.get(reference.toLowerCase()),
    near: (reference) => nearNames(reference, [...current().byReference.keys()]),
    list: () => current().models,
    availability({ name, provider }) {
      const { isUsable, entries } = current();
      if (isUsable(provider)) return { available: true };
      const variable = entries.get(provider)?.needs?.variable;
      return { available: false, reason: `${name} cannot be used yet: set ${variable} where the service runs.` };
    },
  };
}

function index(settings: ProviderSettings, remote: readonly string[]) {
  const entries = new Map(providerEntries());
  const specs = [...entries.keys()].flatMap((provider) => specsOfProvider(provider, settings));
  const aliased = resolveAliases(specs, settings.modelAliases);
  const models = specs.map((spec) => toListed(aliased.get(spec) ?? spec));
  const isUsable = (provider: string) => {
    const needs = entries.get(provider)?.needs;
    return !needs || Boolean(needs.of(settings)) || remote.includes(provider);
  };
  const byReference = new Map<string, JobModel>();
  const name = (reference: string, { runs }: ListedModel) => {
    if (!byReference.has(reference.toLowerCase())) byReference.set(reference.toLowerCase(), runs);
  };
  const usable = ({ runs }: ListedModel) => isUsable(runs.provider);
  // A name that two providers have means the one that can be used; `provider/name` comes last, for it may be a name, too.
  const usableFirst = [...models.filter(usable), ...models.filter((model) => !usable(model))];
  for (const model of usableFirst) for (const each of [model.runs.id, model.reference]) name(each, model);
  for (const model of usableFirst) name(model.runs.name, model);
  for (const model of usableFirst) name(`${model.runs.provider}/${model.reference}`, model);
  return { entries, models, byReference, isUsable };
}

function toListed(spec: ModelSpec): ListedModel {
  const capabilities = Object.fromEntries(CAPABILITIES.map((each) => [each, spec.capabilities[each] ?? false]));
  return { reference: spec.modelName, runs: toJobModel(spec), capabilities, parameters: spec.parameters };
}

/** The specs that `MODEL_ALIASES` changes, and what they become. */
function resolveAliases(specs: readonly ModelSpec[], aliases: ReadonlyMap<string, string>): Map<ModelSpec, ModelSpec> {
  const find = (reference: string) => specs.find((spec) => spec.modelName.toLowerCase() === reference.toLowerCase());
  const wrong: string[] = [];
  const resolved = [...aliases].flatMap(([from, to]): [ModelSpec, ModelSpec][] => {
    const [spec, target] = [find(from), find(to)];
    if (!spec || !target) {
      wrong.push(`must name models of the catalog: there is no model "${spec ? to : from}"`);
      return [];
    }
    if (spec.provider !== target.provider) {
      wrong.push(`must stay with a provider: ${from} is a model of ${spec.provider}, ${to} of ${target.provider}`);
      return [];
    }
    const { capabilities, parameters } = target;
    // A successor that was retired itself, too, runs as its own.
    const runsAs = target === spec ? spec.modelName : (target.runsAs ?? target.modelName);
    return [[spec, { ...spec, runsAs, capabilities, parameters }]];
  });
  if (wrong.length > 0) throw new AliasError(wrong);
  return new Map(resolved);
}
