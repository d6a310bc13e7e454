/** What a program may register, what it is told when an entry is wrong, and what replaces what. */
import { afterEach, describe, expect, test } from 'vitest';
import type { FieldError, ServiceError } from '../../shared/core/errors.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { SUPPORTED_PROVIDERS } from '../../shared/llm/constants.ts';
import { providerLoader } from '../../shared/llm/provider-loader.ts';
import {
  type ProviderEntry,
  registerProvider,
  registerSpecs,
  registerTransformer,
  supportedProviders,
} from '../../shared/llm/provider-registry.ts';
import { simulatedProvider } from '../../shared/llm/providers/simulated.ts';
import type { NewModelSpec } from '../../shared/llm/specs/model-spec.ts';
import { modelSpecRegistry, modelSpecs } from '../../shared/llm/specs/registry.ts';
import { NO_PROVIDERS } from '../support/core-world.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const SETTINGS = { ...NO_PROVIDERS, clock: virtualClock() };
const ENTRY: ProviderEntry = { load: async (settings) => simulatedProvider(settings) };
const PLAIN: NewModelSpec = { modelName: 'acme-large', provider: 'acme', capabilities: {}, parameters: [] };

const takeBack: (() => void)[] = [];
afterEach(() => {
  for (const each of takeBack.splice(0).reverse()) each();
});

/** What a refusal says of each field. */
function refusalOf(act: () => unknown): { [path: string]: string } {
  try {
    act();
  } catch (error) {
    const { code, details = [] } = error as ServiceError;
    expect(code).toBe('invalid_request');
    return Object.fromEntries(details.map(({ path, message }: FieldError) => [path, message]));
  }
  throw new Error('it was taken');
}

describe('a wrong entry is refused, and every wrong field named', () => {
  const NAME = 'must be lower-case letters, digits and hyphens, at most 64';
  const FUNCTION = 'must be a function';

  test.each<[string, unknown, { [path: string]: string }]>([
    ['Acme!', ENTRY, { name: NAME }],
    ['', undefined, { name: NAME, 'entry.load': FUNCTION }],
    ['acme', {}, { 'entry.load': FUNCTION }],
    ['acme', { ...ENTRY, specs: [], secret: 'k' }, { 'entry.specs': FUNCTION, 'entry.secret': FUNCTION }],
    [
      ...(['acme', { ...ENTRY, needs: { variable: '' } }] as const),
      { 'entry.needs.variable': 'must be the name of a setting', 'entry.needs.of': FUNCTION },
    ],
    [
      ...(['acme', { ...ENTRY, needs: null }] as const),
      { 'entry.needs.variable': 'must be the name of a setting', 'entry.needs.of': FUNCTION },
    ],
  ])('provider %j: %o', (name, entry, wrong) => {
    expect(refusalOf(() => registerProvider(name, entry as ProviderEntry))).toEqual(wrong);
    expect(supportedProviders()).toEqual([...SUPPORTED_PROVIDERS]);
  });

  test('transformer', () => {
    expect(refusalOf(() => registerTransformer('A', {} as never))).toEqual({ name: NAME, transformer: FUNCTION });
  });

  const temperature = { name: 'temperature', type: 'float' };
  test.each<[object, { [path: string]: string }]>([
    [
      { modelName: ' ', provider: 7 },
      { modelName: 'must not be empty', provider: 'must be text' },
    ],
    [{ id: 'acme' }, { id: 'must be a UUID' }],
    [{ id: '1A97CCB9-2e49-44b1-869c-e82054a05243' }, { id: 'is the id of gpt-4 already' }],
    [{ model: 'x' }, { model: 'is no field of a spec' }],
    [{ capabilities: { supportVision: true } }, { 'capabilities.supportVision': 'is no field of a spec' }],
    [{ capabilities: { supportsVision: 'yes' } }, { 'capabilities.supportsVision': 'must be true or false' }],
    [{ capabilities: undefined }, { capabilities: 'must be an object' }],
    [{ parameters: {} }, { parameters: 'must be an array' }],
    [
      { parameters: [{ ...temperature, name: 'temprature' }] },
      { 'parameters.0.name': 'must be one of: temperature, top_p, max_tokens, reasoning.effort, text.verbosity' },
    ],
    [{ parameters: [{ ...temperature, type: 'number' }] }, { 'parameters.0.type': 'must be one of: float, int, enum' }],
    [{ parameters: [temperature, temperature] }, { 'parameters.1.name': 'temperature is there twice' }],
    [
      { parameters: [{ ...temperature, minValue: 2, maxValue: 1 }] },
      { 'parameters.0.minValue': 'must not be above maxValue' },
    ],
    [{ parameters: [{ ...temperature, maxValue: '1' }] }, { 'parameters.0.maxValue': 'must be a number' }],
    [
      { parameters: [{ ...temperature, maxValue: 1, defaultValue: 2 }] },
      { 'parameters.0.defaultValue': 'must be within the range' },
    ],
    [
      { parameters: [{ name: 'reasoning.effort', type: 'int' }] },
      { 'parameters.0.type': 'must be enum: reasoning.effort is a word' },
    ],
    [
      { parameters: [{ ...temperature, type: 'enum', allowedValues: ['1'] }] },
      { 'parameters.0.type': 'must be float or int: temperature is a number' },
    ],
    [
      { parameters: [{ name: 'text.verbosity', type: 'enum', allowedValues: [] }] },
      { 'parameters.0.allowedValues': 'must have at least one value' },
    ],
    [
      { parameters: [{ name: 'text.verbosity', type: 'enum', allowedValues: ['low'], defaultValue: 'high' }] },
      { 'parameters.0.defaultValue': 'must be one of: low' },
    ],
  ])('spec %o', (over, wrong) => {
    const before = modelSpecs.list();
    const register = () => registerSpecs([{ ...PLAIN, modelName: 'good' }, { ...PLAIN, ...over } as NewModelSpec]);
    const named = Object.fromEntries(Object.entries(wrong).map(([path, message]) => [`specs.1.${path}`, message]));
    expect(refusalOf(register)).toEqual(named);
    expect(modelSpecs.list()).toEqual(before);
  });

  test('two specs of one id, registered together', () => {
    const id = crypto.randomUUID();
    const register = () =>
      registerSpecs([
        { ...PLAIN, id },
        { ...PLAIN, modelName: 'other', id },
      ]);
    expect(refusalOf(register)).toEqual({ 'specs.1.id': 'is the id of acme-large already' });
  });
});

describe('what is registered', () => {
  test('is listed as soon as its provider is there, in whatever order', () => {
    const models = modelCatalog(SETTINGS);
    takeBack.push(registerSpecs([PLAIN]));
    expect(models.find('acme-large')).toBeUndefined();
    takeBack.push(registerProvider('acme', ENTRY));
    expect(models.find('acme-large')).toMatchObject({ provider: 'acme', name: 'acme-large' });
    expect(models.near('acme-lage')).toEqual(['acme-large']);
    expect(supportedProviders()).toEqual([...SUPPORTED_PROVIDERS, 'acme']);
  });

  test('has the same id in every process, and keeps the one of the model that it replaces', () => {
    const ids = [1, 2].map(() => {
      const registry = modelSpecRegistry();
      registry.register([PLAIN]);
      return registry.find('acme', 'ACME-large')?.id;
    });
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
    expect(ids[0]).toBe(ids[1]);
    const known = modelSpecs.find('openai', 'gpt-4');
    takeBack.push(registerSpecs([{ modelName: 'gpt-4', provider: 'openai', capabilities: {}, parameters: [] }]));
    const models = modelCatalog(SETTINGS);
    expect(models.find('gpt-4')).toMatchObject({ id: known?.id, name: 'gpt-4' });
    expect(modelSpecs.validateConfig('openai', 'gpt-4', { temperature: 1 })).toHaveLength(1);
    for (const undo of takeBack.splice(0)) undo();
    expect(modelSpecs.find('openai', 'gpt-4')).toBe(known);
    expect(models.find('gpt-4')).toMatchObject({ name: 'GPT-4' });
  });

  test('says more of a model than the setting that names it', () => {
    const compatible = { ...SETTINGS, openaiCompatibleModels: ['llama3.2', 'qwen'] };
    const before = modelCatalog(compatible).find('llama3.2');
    takeBack.push(registerSpecs([{ ...PLAIN, provider: 'openai-compatible', modelName: 'llama3.2' }]));
    const rows = modelCatalog(compatible)
      .list()
      .filter(({ runs }) => runs.provider === 'openai-compatible');
    expect(rows.map(({ reference, parameters }) => [reference, parameters.length])).toEqual([
      ['llama3.2', 0],
      ['qwen', 5],
    ]);
    expect(rows[0]?.runs.id).toBe(before?.id);
  });

  test('replaces a built-in provider, also one that was loaded already, until it is taken back', async () => {
    const providerFor = providerLoader(SETTINGS);
    const built = await providerFor('simulated');
    expect(await providerFor('simulated')).toBe(built);
    const undo = registerProvider('simulated', ENTRY);
    const replaced = await providerFor('simulated');
    expect(replaced).not.toBe(built);
    undo();
    undo();
    expect(await providerFor('simulated')).not.toBe(replaced);
    expect(supportedProviders()).toEqual([...SUPPORTED_PROVIDERS]);
  });

  test('is loaded again where its load failed', async () => {
    let loads = 0;
    const load: ProviderEntry['load'] = async (settings) => {
      if (++loads === 1) throw new Error('no network');
      return simulatedProvider(settings);
    };
    takeBack.push(registerProvider('acme', { load }));
    const providerFor = providerLoader(SETTINGS);
    await expect(providerFor('acme')).rejects.toThrow('no network');
    await expect(providerFor('acme')).resolves.toBeDefined();
  });
});

test('a model that is not known is refused with the names that look like it', () => {
  const refused = refusalOf(() => modelSpecs.validateConfig('openai', 'gpt-4o-min', {}));
  expect(refused.model).toMatch(/^"openai" has no model "gpt-4o-min"; did you mean "gpt-4o-mini" or "/);
});

test('an alias gives a name what the model takes that it runs as', () => {
  const aliased = modelCatalog({ ...SETTINGS, modelAliases: new Map([['gpt-4', 'o1']]) });
  const row = (name: string) => aliased.list().find(({ reference }) => reference === name);
  expect(row('gpt-4')).toMatchObject({ runs: { name: 'GPT-4', model: 'o1' } });
  expect(row('gpt-4')?.parameters).toEqual(row('o1')?.parameters);
  expect(row('gpt-4')?.capabilities).toEqual(row('o1')?.capabilities);
  expect(row('gpt-4.1')?.parameters).not.toEqual(row('o1')?.parameters);
});
