/** All model specs, those of the vendors that are built in and those that a program registers. */
import { invalidRequest } from '../../core/errors.ts';
import { didYouMean } from '../near-names.ts';
import { stackedMap } from '../stacked-map.ts';
import { anthropicSpecs } from './anthropic.ts';
import { checkedSpec } from './checked-spec.ts';
import { geminiSpecs } from './gemini.ts';
import type { ConfigIssue, ModelConfig, ModelSpec, NewModelSpec } from './model-spec.ts';
import { openaiSpecs } from './openai.ts';
import { simulatedSpecs } from './simulated.ts';
import { validateConfig } from './validate-config.ts';
import { vertexSpecs } from './vertex.ts';

export type ModelSpecRegistry = {
  /**
   * Adds models. One that is known by provider and name is replaced, and keeps its id where the new spec has none. The
   * answer takes them back. Throws `invalid_request` that names every wrong field, and adds nothing then.
   */
  register(specs: readonly NewModelSpec[]): () => void;
  /** In any case, as its vendor names it. */
  find(provider: string, modelName: string): ModelSpec | undefined;
  /** Of one provider, or of all. */
  list(provider?: string): ModelSpec[];
  /** What of a configuration that model does not take. Throws `invalid_request` for a model that is not known. */
  validateConfig(provider: string, modelName: string, config: ModelConfig): ConfigIssue[];
  /** Another number after each change. */
  revision(): number;
};

/** A registry that begins with these specs. */
export function modelSpecRegistry(first: readonly ModelSpec[] = []): ModelSpecRegistry {
  const keyOf = (provider: string, modelName: string) => `${provider}/${modelName.toLowerCase()}`;
  const specs = stackedMap(first.map((spec) => [keyOf(spec.provider, spec.modelName), spec] as const));
  const list = (provider?: string) =>
    specs.entries().flatMap(([, spec]) => (provider === undefined || spec.provider === provider ? [spec] : []));
  const find = (provider: string, modelName: string) => specs.get(keyOf(provider, modelName));
  return {
    find,
    list,
    register(given) {
      const checked: ModelSpec[] = [];
      for (const [index, spec] of given.entries()) {
        const known = find(String(spec?.provider), String(spec?.modelName));
        const others = [...list().filter((other) => other !== known), ...checked];
        checked.push(checkedSpec(spec, `specs.${index}`, known?.id, others));
      }
      const undo = checked.map((spec) => specs.add(keyOf(spec.provider, spec.modelName), spec));
      return () => {
        for (const each of undo) each();
      };
    },
    validateConfig(provider, modelName, config) {
      const spec = find(provider, modelName);
      if (spec) return validateConfig(spec, config);
      const near = didYouMean(
        modelName,
        list(provider).map((each) => each.modelName),
      );
      throw invalidRequest([{ path: 'model', message: `"${provider}" has no model "${modelName}"${near}` }]);
    },
    revision: specs.revision,
  };
}

/** The specs of this process. */
export const modelSpecs = modelSpecRegistry([
  ...simulatedSpecs,
  ...openaiSpecs,
  ...geminiSpecs,
  ...anthropicSpecs,
  ...vertexSpecs,
]);
