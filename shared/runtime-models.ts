/** Which models there are by the settings; which of them cannot be used, said once, where somebody looks after a deployment. */
import { settingsError } from './config.ts';
import type { ModelCatalog } from './core/llm.ts';
import type { Log } from './core/ports.ts';
import { AliasError, modelCatalog } from './llm/catalog.ts';
import { type ProviderSettings, providerEntries, specsOfProvider } from './llm/provider-registry.ts';

/** The catalog by these settings. An alias of what is not there is a wrong setting, which only the catalog can know. */
export function configuredModels(settings: ProviderSettings, remote: readonly string[]): ModelCatalog {
  try {
    return modelCatalog(settings, remote);
  } catch (error) {
    if (!(error instanceof AliasError)) throw error;
    throw settingsError(error.sentences.map((sentence) => ({ variable: 'MODEL_ALIASES', sentence })));
  }
}

/** A provider that has models and cannot be called. */
export type Unavailable = { provider: string; variable: string };

/** Those that these settings do not open; `remote` are those that others hold the keys of. */
export function unavailableProviders(settings: ProviderSettings, remote: readonly string[]): Unavailable[] {
  return providerEntries().flatMap(([provider, { needs }]) => {
    const isOpen = !needs || Boolean(needs.of(settings)) || remote.includes(provider);
    return isOpen || specsOfProvider(provider, settings).length === 0 ? [] : [{ provider, variable: needs.variable }];
  });
}

/** One line that names them; a warning where no provider can be called at all. */
export function logUnavailable(log: Log, settings: ProviderSettings, remote: readonly string[]): void {
  const missing = unavailableProviders(settings, remote);
  if (missing.length === 0) return;
  const closed = new Set(missing.map(({ provider }) => provider));
  const isAnyOpen = providerEntries().some(
    ([provider, { needs }]) => needs && !closed.has(provider) && specsOfProvider(provider, settings).length > 0,
  );
  log(isAnyOpen ? 'info' : 'warning', 'models-unavailable', {
    providers: missing.map(({ provider }) => provider).join(','),
    settings: missing.map(({ variable }) => variable).join(','),
  });
}
