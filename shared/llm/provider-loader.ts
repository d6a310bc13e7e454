/** Providers, ready to be called: loaded once, fitted to what their models take, and silent about our keys. */
import { ServiceError } from '../core/errors.ts';
import type { LlmPart, LlmProvider, LlmRequest, ProviderFor } from '../core/llm.ts';
import {
  type ProviderEntry,
  type ProviderSettings,
  providerEntries,
  providerEntry,
  specsOfProvider,
  transformerFor,
} from './provider-registry.ts';
import { redactedProvider } from './providers/redacted.ts';
import { type Fitted, fitToSpec } from './specs/fit-to-spec.ts';
import type { ModelSpec } from './specs/model-spec.ts';
import type { Transformer } from './transformers/transformer.ts';

type Loaded = { entry: ProviderEntry; transform: Transformer<never> | undefined; provider: Promise<LlmProvider> };

/**
 * Makes each provider once, on first use, and again when it or its transformer was registered anew. With a client of the
 * caller's own, of the vendor's SDK, nothing needs to be set. Throws `unsupported_provider`, and `model_unavailable` where a setting is missing.
 */
export function providerLoader(settings: ProviderSettings, { client }: { client?: unknown } = {}): ProviderFor {
  const loaded = new Map<string, Loaded>();
  const load = (name: string, entry: ProviderEntry, transform: Transformer<never> | undefined) => {
    const options = {
      ...(client === undefined ? {} : { client: client as never }),
      ...(transform ? { transform } : {}),
    };
    return entry.load(settings, options).then((plain) => {
      const specOf = (model: string) => specsOfProvider(name, settings).find(({ modelName }) => modelName === model);
      return redactedProvider(fittedProvider(plain, specOf), secretsIn(settings));
    });
  };
  return async (name) => {
    const entry = providerEntry(name);
    if (entry.needs && client === undefined && !entry.needs.of(settings)) {
      throw new ServiceError('model_unavailable', `The worker has no ${entry.needs.variable}.`);
    }
    const transform = transformerFor(name);
    const known = loaded.get(name);
    if (known?.entry === entry && known.transform === transform) return known.provider;
    const provider = load(name, entry, transform);
    loaded.set(name, { entry, transform, provider });
    // A failed load must not be the last one.
    provider.catch(() => loaded.delete(name));
    return provider;
  };
}

/** Every key that this process holds. */
function secretsIn(settings: ProviderSettings): string[] {
  return providerEntries().flatMap(([, { secret }]) => secret?.(settings) || []);
}

/**
 * A provider that is asked for nothing that its model does not take; what was changed is told as warnings, as soon as
 * the request is accepted. A model without a spec is asked as it is.
 */
export function fittedProvider(provider: LlmProvider, specOf: (model: string) => ModelSpec | undefined): LlmProvider {
  const fittedFor = (asked: LlmRequest): Fitted => {
    const spec = specOf(asked.model);
    return spec ? fitToSpec(spec, asked) : { request: asked, warnings: [] };
  };
  const { background } = provider;
  return {
    background: background && {
      ...background,
      async start(asked, options) {
        const { request, warnings } = fittedFor(asked);
        const started = await background.start(request, options);
        return started.parts ? { ...started, parts: warned(started.parts, warnings) } : started;
      },
      async look(id, asked, options) {
        const { request, warnings } = fittedFor(asked);
        const seen = await background.look(id, request, options);
        return 'parts' in seen ? { parts: warned(seen.parts, warnings) } : seen;
      },
    },
    generate(asked, options) {
      const { request, warnings } = fittedFor(asked);
      const parts = provider.generate(request, options);
      return warnings.length === 0 ? parts : warnedOnceAccepted(parts, warnings);
    },
  };
}

async function* warnedOnceAccepted(parts: AsyncIterable<LlmPart>, warnings: readonly string[]): AsyncIterable<LlmPart> {
  let told = false;
  for await (const part of parts) {
    yield part;
    if (told || part.type !== 'accepted') continue;
    told = true;
    for (const message of warnings) yield { type: 'warning', message };
  }
}

async function* warned(parts: AsyncIterable<LlmPart>, warnings: readonly string[]): AsyncIterable<LlmPart> {
  for (const message of warnings) yield { type: 'warning', message };
  yield* parts;
}
