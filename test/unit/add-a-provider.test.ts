/** The page "Add a provider" is true: its code is the code under `test/support/acme`, and that works, both ways. */
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LlmPart, LlmRequest } from '../../shared/core/llm.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { providerLoader } from '../../shared/llm/provider-loader.ts';
import { registerProvider, registerSpecs, supportedProviders } from '../../shared/llm/provider-registry.ts';
import { type AcmeClient, acmeProvider } from '../support/acme/provider.ts';
import { addAcme, addAcmePreamble } from '../support/acme/run-time.ts';
import { acmeSpecs } from '../support/acme/specs.ts';
import { toAcmeBody } from '../support/acme/transformer.ts';
import { NO_PROVIDERS } from '../support/core-world.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
const PAGE = 'shared/llm/README.md';
/** Where the page puts what stands under `test/support/acme`. */
const PLACES: { readonly [sample: string]: string } = {
  'test/support/acme/specs.ts': 'shared/llm/specs/acme.ts',
  'test/support/acme/transformer.ts': 'shared/llm/transformers/acme.ts',
  'test/support/acme/provider.ts': 'shared/llm/providers/acme.ts',
};
const IMPORT = /import (?:type )?\{([^}]*)\} from '([^']+)';\n/g;

/** What a file imports from where, and what is below. */
function partsOf(path: string, code: string) {
  const imports = [...code.matchAll(IMPORT)].map(([, names = '', from = '']) => {
    const target = posix.join(posix.dirname(path), from);
    return { from: PLACES[target] ?? target, names: names.split(',').flatMap((name) => name.trim() || []) };
  });
  imports.sort((left, right) => (left.from < right.from ? -1 : 1));
  return { imports, body: code.replace(IMPORT, '').trim() };
}

describe('the code on the page is the code that runs', () => {
  const blocks = [...read(PAGE).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code ?? '');

  test.each(Object.entries(PLACES))('%s', (sample, place) => {
    const written = partsOf(sample, read(sample));
    expect(written.imports.length).toBeGreaterThan(1);
    expect(blocks.map((code) => partsOf(place, code))).toContainEqual(written);
  });

  test('run-time.ts, with imports from llm-jobs/llm', () => {
    const sample = 'test/support/acme/run-time.ts';
    const names = (imports: { names: string[] }[]) =>
      imports.flatMap((each) => each.names.map((name) => name.replace('type ', ''))).sort();
    const shown = blocks
      .filter((code) => /llm-jobs\/llm/.test(code) && /registerProvider/.test(code))
      .map((code) => partsOf(PAGE, code));
    const written = partsOf(sample, read(sample));
    expect(shown.map(({ body }) => body)).toEqual([written.body]);
    expect(names(shown.flatMap(({ imports }) => imports))).toEqual(names(written.imports));
  });
});

const KEY = 'zq.QXJW04815162342.KVQX99';
const SETTINGS = { ...NO_PROVIDERS, clock: virtualClock() };
const HELLO: LlmRequest = { model: 'acme-large', messages: [{ role: 'user', content: 'Hello.' }] };

let server: ScriptedProvider;
let takeBack: (() => void)[] = [];
beforeAll(async () => {
  server = await startScriptedProvider();
});
afterEach(() => {
  for (const each of takeBack.reverse()) each();
  takeBack = [];
  server.requests.length = 0;
});
afterAll(() => server.stop());

async function partsFor(request: LlmRequest, options: { client?: unknown; signal?: AbortSignal } = {}) {
  const { client, signal = new AbortController().signal } = options;
  const provider = await providerLoader(SETTINGS, { client })('acme');
  const parts: LlmPart[] = [];
  for await (const part of provider.generate(request, { signal })) parts.push(part);
  return parts;
}

describe('inside the repository', () => {
  /** What step 4 puts into the table of built-in ones, with settings that a test can set. */
  const add = (apiKey: string | undefined = KEY) => {
    takeBack.push(
      registerSpecs(acmeSpecs),
      registerProvider('acme', {
        needs: { variable: 'ACME_API_KEY', of: () => apiKey },
        secret: () => apiKey,
        load: async (_settings, options) => acmeProvider({ apiKey, baseUrl: server.url, ...options }),
      }),
    );
  };
  const line = (event: object) => `${JSON.stringify(event)}\n`;
  const USAGE = { in: 3, out: 2 };

  test('an answer comes in parts, and what did not fit was told', async () => {
    add();
    server.answerWith(async ({ stream, write, response }) => {
      stream();
      await write(line({ text: 'Grüß ' }) + line({ text: 'dich' }) + line({ done: 'end', usage: USAGE }), true);
      response.end();
    });
    const system = { role: 'system' as const, content: 'Be brief.' };
    const result = { role: 'tool' as const, toolCallId: 'c', content: 'Rain.' };
    const asked = { ...HELLO, messages: [system, ...HELLO.messages, result], temperature: 5, maxOutputTokens: 9 };
    expect(await partsFor({ ...asked, topP: 1 })).toEqual([
      { type: 'accepted', providerRequestId: 'req-7' },
      ...[
        'temperature was set to 1: acme-large does not take 5.',
        'top_p was left out: acme-large does not take it.',
        'Calls of functions were left out, and their results told as messages: acme-large calls none.',
      ].map((message) => ({ type: 'warning', message })),
      { type: 'text-delta', text: 'Grüß ' },
      { type: 'text-delta', text: 'dich' },
      { type: 'usage', usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 } },
      { type: 'finish', reason: 'stop' },
    ]);
    expect(server.requests).toMatchObject([
      {
        path: '/v1/generate',
        headers: { authorization: `Bearer ${KEY}` },
        body: {
          ...{ model: 'acme-large', system: 'Be brief.', limit: 9, temperature: 1 },
          turns: [
            { from: 'user', text: 'Hello.' },
            { from: 'user', text: 'Rain.' },
          ],
        },
      },
    ]);
  });

  test('a body of its own says what it has no place for', () => {
    const { body, warnings } = toAcmeBody({
      ...HELLO,
      messages: [{ role: 'tool', toolCallId: 'c', content: 'Rain.' }],
    });
    expect(body).toEqual({ model: 'acme-large', turns: [] });
    expect(warnings).toEqual(['Results of functions were left out: Acme has no place for them.']);
  });

  test.each<[number, string]>([
    [401, 'auth'],
    [429, 'rate_limited'],
    [500, 'overloaded'],
    [400, 'invalid_request'],
  ])('a refusal with %i is %s, and tells no key', async (status, code) => {
    add();
    server.answerWith(({ json }) => json(status, { error: `no, ${KEY}` }, { 'retry-after': '7' }));
    const refused = await partsFor(HELLO).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'ServiceError', code, retryAfterMs: 7_000 });
    expect(String(refused)).not.toContain('QXJW');
  });

  test('a cut, a broken line and an end that nobody knows are failures', async () => {
    add();
    server.answerWith(async ({ stream, write, cut }) => {
      stream();
      await write(line({ text: 'Hi' }));
      setTimeout(cut, 20);
    });
    await expect(partsFor(HELLO)).rejects.toMatchObject({ code: 'network' });
    for (const broken of ['{"text":\n', line({ done: 'odd' })]) {
      server.answerWith(async ({ stream, write, response }) => {
        stream();
        await write(broken);
        response.end();
      });
      await expect(partsFor(HELLO)).rejects.toMatchObject({ code: 'provider_error' });
    }
  });

  test('an abort ends the call with its reason', async () => {
    add();
    const abort = new AbortController();
    server.answerWith(async ({ stream, write }) => {
      stream();
      await write(line({ text: 'Hi' }));
      setTimeout(() => abort.abort(new Error('enough')), 20);
    });
    const before = server.abandoned();
    await expect(partsFor(HELLO, { signal: abort.signal })).rejects.toThrow('enough');
    await expect.poll(() => server.abandoned()).toBe(before + 1);
  });

  test('without its key a model is listed as unavailable, and a client of the caller needs none', async () => {
    add('');
    const models = modelCatalog(SETTINGS);
    const found = models.find('acme-1');
    expect(found).toMatchObject({ provider: 'acme', model: 'acme-large', name: 'Acme One' });
    expect(found && models.availability(found)).toMatchObject({ reason: expect.stringContaining('ACME_API_KEY') });
    await expect(partsFor(HELLO)).rejects.toMatchObject({ code: 'model_unavailable' });
    const asked: string[] = [];
    const client: AcmeClient = {
      async generate({ turns }) {
        asked.push(...turns.map(({ text }) => text));
        return new Response(line({ text: 'Hi' }) + line({ done: 'end' }));
      },
    };
    expect((await partsFor(HELLO, { client })).at(-1)).toEqual({ type: 'finish', reason: 'stop' });
    expect(asked).toEqual(['Hello.']);
    expect(server.requests).toEqual([]);
  });
});

describe('while a program runs', () => {
  const answer = () => server.answerWith(({ json }) => json(200, { text: 'Hi', in: 3, out: 1 }));
  const add = () => takeBack.push(addAcme({ baseUrl: server.url, apiKey: KEY }));

  test('the provider is there, its models are found, and requests are fitted to them', async () => {
    const models = modelCatalog(SETTINGS);
    expect(models.find('acme-large')).toBeUndefined();
    add();
    answer();
    expect(supportedProviders()).toContain('acme');
    expect(models.find('acme/acme-large')).toMatchObject({ provider: 'acme', name: 'acme-large' });
    const parts = await partsFor({ ...HELLO, temperature: 3 });
    expect(parts.map(({ type }) => type)).toEqual(['accepted', 'warning', 'text-delta', 'usage', 'finish']);
    expect(server.requests[0]?.body).toEqual({ model: 'acme-large', prompt: 'Hello.', temperature: 1 });
  });

  test('a transformer replaces its own, until it is taken back', async () => {
    add();
    answer();
    const providerFor = providerLoader(SETTINGS);
    const bodySent = async () => {
      for await (const _ of (await providerFor('acme')).generate(HELLO, { signal: new AbortController().signal }));
      return server.requests.at(-1)?.body;
    };
    expect(await bodySent()).toMatchObject({ prompt: 'Hello.' });
    const undo = addAcmePreamble('Answer in Latin.');
    expect(await bodySent()).toMatchObject({ prompt: 'Answer in Latin.\n\nHello.' });
    undo();
    expect(await bodySent()).toMatchObject({ prompt: 'Hello.' });
  });

  test('what was taken back is not there, and the refusal names what looks like it', async () => {
    addAcme({ baseUrl: server.url, apiKey: KEY })();
    await expect(providerLoader(SETTINGS)('acme')).rejects.toMatchObject({ code: 'unsupported_provider' });
    await expect(providerLoader(SETTINGS)('opnai')).rejects.toMatchObject({
      code: 'unsupported_provider',
      message: 'There is no provider "opnai"; did you mean "openai"?',
    });
    expect(modelCatalog(SETTINGS).find('acme-large')).toBeUndefined();
  });

  test('its failures are of our classes', async () => {
    add();
    server.answerWith(({ json }) => json(503, {}));
    await expect(partsFor(HELLO)).rejects.toMatchObject({ code: 'overloaded' });
    server.answerWith(({ cut }) => cut());
    await expect(partsFor(HELLO)).rejects.toMatchObject({ code: 'network' });
  });
});
