/** Which model a name means, and what the aliases may say. */
import { describe, expect, test } from 'vitest';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import type { ProviderSettings } from '../../shared/llm/provider-registry.ts';
import { NO_PROVIDERS } from '../support/core-world.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const catalog = (over: Partial<ProviderSettings> = {}) =>
  modelCatalog({ ...NO_PROVIDERS, clock: virtualClock(), ...over });
const COMPATIBLE = {
  openaiCompatibleBaseUrl: 'http://gateway/v1',
  openaiCompatibleModels: ['openai/gpt-4o', 'gpt-4.1', 'llama3.2'],
};

describe('a name means', () => {
  test('the same model by id, name, vendor name and with its provider, in any case', () => {
    const models = catalog();
    const found = models.find('gpt-4o-mini');
    for (const name of [found?.id ?? '', 'GPT-4O-MINI', 'GPT-4o mini', 'openai/gpt-4o-mini']) {
      expect(models.find(name)).toEqual(found);
    }
    expect(models.find('gpt-4o-mini-')).toBeUndefined();
  });

  test('the model that can be used, where two providers have it', () => {
    expect(catalog(COMPATIBLE).find('gpt-4.1')?.provider).toBe('openai-compatible');
    expect(catalog({ ...COMPATIBLE, openaiApiKey: 'k' }).find('gpt-4.1')?.provider).toBe('openai');
  });

  test('the model of exactly that name before one of that provider', () => {
    const found = catalog({ ...COMPATIBLE, openaiApiKey: 'k' }).find('openai/gpt-4o');
    expect(found).toMatchObject({ provider: 'openai-compatible', model: 'openai/gpt-4o' });
  });
});

test('ids are stable, and each belongs to one model', () => {
  const ids = catalog(COMPATIBLE)
    .list()
    .map(({ runs }) => runs.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(
    catalog(COMPATIBLE)
      .list()
      .map(({ runs }) => runs.id),
  ).toEqual(ids);
});

describe('an alias', () => {
  const aliased = (...pairs: [string, string][]) => catalog({ modelAliases: new Map(pairs) });

  test('of a retired name sets its successor, in any case', () => {
    expect(catalog().find('gemini-pro')).toMatchObject({ name: 'Gemini Pro', model: 'gemini-2.5-pro' });
    expect(aliased(['Gemini-Pro', 'gemini-2.5-flash']).find('gemini-pro')).toMatchObject({ model: 'gemini-2.5-flash' });
  });

  test('to a name that was retired itself runs as what that runs as', () => {
    expect(aliased(['gemini-2.0-flash', 'gemini-pro']).find('gemini-2.0-flash')).toMatchObject({
      model: 'gemini-2.5-pro',
    });
  });

  test.each<[[string, string], string]>([
    [['gemini-pro', 'nonsense'], 'there is no model "nonsense"'],
    [['my', 'gpt-4o'], 'there is no model "my"'],
    [['gpt-3.5-turbo', 'gemini-2.5-flash'], 'is a model of openai'],
  ])('%o stops the start', (pair, sentence) => {
    expect(() => aliased(pair)).toThrow(sentence);
  });

  test('all that are wrong are named at once', () => {
    expect(() => aliased(['my', 'gpt-4o'], ['gemini-pro', 'nonsense'])).toThrow(/"my"\. .*"nonsense"\.$/);
  });
});
