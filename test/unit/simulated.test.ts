/** The simulated provider's script: how a user makes it slow, makes it fail, and makes it fail for a while. */
import { describe, expect, test } from 'vitest';
import { collect } from '../../shared/core/answers.ts';
import type { Answer, LlmMessage, LlmPart, LlmRequest } from '../../shared/core/llm.ts';
import type { Clock } from '../../shared/core/ports.ts';
import { simulatedProvider } from '../../shared/llm/providers/simulated.ts';
import { instanceOf } from '../../shared/llm/structured/instance.ts';
import { parseStructured } from '../../shared/llm/structured/parse.ts';
import { validatorFor, validatorOf } from '../../shared/llm/structured/validator.ts';

const ANSWERS = 'answers';
/** Every time comes at once. */
const IMPATIENT: Clock = {
  nowMs: () => 0,
  monotonicMs: () => 0,
  setTimer(callback) {
    queueMicrotask(callback);
    return () => {};
  },
};

function world() {
  const provider = simulatedProvider({ clock: IMPATIENT, simulatedMs: 0 });
  return async (
    content: string,
    model = 'simulated',
  ): Promise<{ ended: string; parts: LlmPart[]; retryAfterMs?: number }> => {
    const parts: LlmPart[] = [];
    const request = { model, messages: [{ role: 'user' as const, content }] };
    try {
      for await (const part of provider.generate(request, { signal: new AbortController().signal })) parts.push(part);
      return { ended: ANSWERS, parts };
    } catch (error) {
      const { code, retryAfterMs } = error as { code: string; retryAfterMs?: number };
      return { ended: code, parts, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    }
  };
}

async function endsOf(ask: ReturnType<typeof world>, content: string, calls: number): Promise<string[]> {
  const ends: string[] = [];
  for (let call = 0; call < calls; call++) ends.push((await ask(content)).ended);
  return ends;
}

test.each(['auth', 'rate_limited', 'overloaded', 'network', 'timeout', 'content_policy'])(
  'fails as %s',
  async (code) => {
    expect((await world()(`[simulate fail=${code}]`)).ended).toBe(code);
  },
);

test('fails with each call when nobody says how often', async () => {
  expect(await endsOf(world(), '[simulate fail=overloaded]', 3)).toEqual(Array(3).fill('overloaded'));
});

test('fails as often as it is told, for each prompt on its own', async () => {
  const ask = world();
  const prompt = 'Try. [simulate fail=timeout times=2]';
  expect(await endsOf(ask, prompt, 4)).toEqual(['timeout', 'timeout', ANSWERS, ANSWERS]);
  expect(await endsOf(ask, `${prompt} again`, 3)).toEqual(['timeout', 'timeout', ANSWERS]);
  expect(await endsOf(ask, '[simulate fail=timeout times=0]', 1)).toEqual([ANSWERS]);
});

test('fails on one of the models alone', async () => {
  const ask = world();
  const prompt = '[simulate fail=auth on=simulated-2]';
  expect([(await ask(prompt)).ended, (await ask(prompt, 'simulated-2')).ended]).toEqual([ANSWERS, 'auth']);
});

test('remembers the latest 1,000 prompts', async () => {
  const ask = world();
  const prompt = (n: number) => `Prompt ${n}. [simulate fail=network times=1]`;
  for (let n = 0; n <= 1_000; n++) expect((await ask(prompt(n))).ended).toBe('network');
  expect([(await ask(prompt(1))).ended, (await ask(prompt(0))).ended]).toEqual([ANSWERS, 'network']);
});

test.each([
  ['kilobytes=900', 900, 'stop'],
  ['kilobytes=0', 0, 'stop'],
  ['kilobytes=999999', 16 * 1_024, 'stop'],
  ['kilobytes=100 finish=length', 50, 'length'],
])('is as large as it is told: %s', async (script, kilobytes, reason) => {
  const [{ parts }, again] = [await world()(`[simulate ${script}]`), await world()(`[simulate ${script}]`)];
  const texts = parts.flatMap((part) => (part.type === 'text-delta' ? part.text : []));
  expect(Buffer.byteLength(texts.join(''))).toBe(kilobytes * 1_024);
  expect(texts.length).toBeLessThanOrEqual(200);
  expect(parts.at(-1)).toEqual({ type: 'finish', reason });
  expect(again.parts).toEqual(parts);
});

test('says how long to wait, and after how many parts it fails', async () => {
  const failed = await world()('[simulate fail=rate_limited retry_after=1.5 after=3]');
  expect(failed).toMatchObject({ ended: 'rate_limited', retryAfterMs: 1_500 });
  expect(failed.parts.map(({ type }) => type)).toEqual(['accepted', 'text-delta', 'text-delta', 'text-delta']);
});

test.each(['fail=nonsense', 'fail=overloaded times=0', 'times=2', 'retry_after=2', 'seconds=x', ''])(
  'a script that says nothing of a failure (%s) is answered',
  async (script) => {
    expect((await world()(`Hello. [simulate ${script}]`)).ended).toBe(ANSWERS);
  },
);

/** Asks one provider again and again; a text is what the user says. */
function asking() {
  const provider = simulatedProvider({ clock: IMPATIENT, simulatedMs: 0 });
  return async (said: string | LlmMessage[], more: Partial<LlmRequest> = {}) => {
    const messages: readonly LlmMessage[] = typeof said === 'string' ? [{ role: 'user', content: said }] : said;
    const request = { model: 'simulated', messages, ...more };
    const parts: LlmPart[] = [];
    const stream = provider.generate(request, { signal: new AbortController().signal });
    const answer = await collect(stream, { facts: {} as never, text: '' }, (part) => parts.push(part));
    return { ...answer, parts };
  };
}

const SCHEMA = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 12, maxLength: 14 },
    code: { type: 'string', pattern: '^[A-Z]{3}$' },
    born: { type: 'string', format: 'date' },
    size: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
    price: { type: 'number', minimum: 19.985, multipleOf: 0.01 },
    kind: { enum: ['a', 'b'] },
    tags: { type: 'array', items: { type: 'string' }, minItems: 3, uniqueItems: true },
    next: { anyOf: [{ $ref: '#' }, { type: 'null' }] },
    whole: { allOf: [{ type: 'number', minimum: 4 }, { type: 'integer' }] },
  },
  required: ['name', 'code', 'size', 'price', 'tags', 'next', 'whole'],
  additionalProperties: false,
};
const STRUCTURED = { responseSchema: { name: 'thing', schema: SCHEMA } };

async function checked({ text, finishReason }: Answer): Promise<unknown> {
  return parseStructured({ text, finishReason }, (await validatorOf(SCHEMA)).validate);
}

describe('a structured answer', () => {
  test('fits its schema, is always the same, and comes in many parts', async () => {
    const answer = await asking()('Hello.', STRUCTURED);
    expect(await checked(answer)).toEqual({ value: JSON.parse(answer.text) });
    expect((await asking()('Hello.', STRUCTURED)).text).toBe(answer.text);
    const deltas = answer.parts.filter(({ type }) => type === 'text-delta').length;
    expect(deltas).toBeGreaterThanOrEqual(10);
    expect(deltas).toBeLessThanOrEqual(200);
  });

  test('of two characters comes in two parts', async () => {
    const answer = await asking()('Hello.', { responseSchema: { name: 'none', schema: { type: 'object' } } });
    expect(answer.parts.flatMap((part) => (part.type === 'text-delta' ? [part.text] : []))).toEqual(['{', '}']);
  });

  test.each(['broken', 'wrong'])('that is %s is a violation, until it was asked for often enough', async (word) => {
    const ask = asking();
    const said: LlmMessage = { role: 'user', content: `Hello. [simulate json=${word} times=2]` };
    const first = await ask([said], STRUCTURED);
    expect(first.finishReason).toBe('stop');
    expect(await checked(first)).toHaveProperty('violation');
    const mending: LlmMessage[] = [
      said,
      { role: 'assistant', content: first.text },
      { role: 'user', content: 'Mend it.' },
    ];
    expect(await checked(await ask(mending, STRUCTURED))).toHaveProperty('violation');
    expect(await checked(await ask(mending, STRUCTURED))).toHaveProperty('value');
  });

  test('of a pattern that nobody can guess says so', async () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^qwertz$' } }, required: ['a'] };
    const answer = await asking()('Hello.', { responseSchema: { name: 'riddle', schema } });
    expect(answer.warnings).toEqual([expect.stringContaining('does not fit the schema')]);
  });

  test('of a schema that is none is refused as by a vendor', async () => {
    const asked = asking()('Hello.', { responseSchema: { name: 'list', schema: { type: 'array' } } });
    await expect(asked).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

test.each<[string, string, Partial<LlmRequest>]>([
  ['a text at its limit', 'Hello.', { maxOutputTokens: 3 }],
  ['JSON at its limit', 'Hello.', { maxOutputTokens: 3, ...STRUCTURED }],
  ['a text', 'Hello. [simulate finish=length]', {}],
  ['JSON', 'Hello. [simulate finish=length]', STRUCTURED],
])('%s is cut, and says so', async (_, said, more) => {
  const answer = await asking()(said, more);
  expect(answer.finishReason).toBe('length');
  const whole = await asking()('Hello.', { ...more, maxOutputTokens: undefined });
  expect(whole.finishReason).toBe('stop');
  expect(whole.text.startsWith(answer.text)).toBe(true);
  expect(answer.text.length).toBeLessThan(whole.text.length);
  if (more.maxOutputTokens) expect(answer.usage?.outputTokens).toBe(more.maxOutputTokens);
});

test('an answer is not cut by a limit that it does not reach', async () => {
  expect((await asking()('Hello.', { maxOutputTokens: 1_000 })).finishReason).toBe('stop');
});

describe('a function', () => {
  const WEATHER = {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  };
  const SAID: LlmMessage = { role: 'user', content: 'Hello. [simulate tool=weather]' };

  test('is called as it wants to be, and what it brought is answered with', async () => {
    const ask = asking();
    const called = await ask([SAID], { tools: [WEATHER] });
    expect(called).toMatchObject({ text: '', finishReason: 'tool_calls', toolCalls: [{ name: 'weather' }] });
    const [call] = called.toolCalls;
    const violationOf = await validatorFor(WEATHER.parameters);
    expect(violationOf(JSON.parse(call?.arguments ?? ''))).toBeUndefined();
    const turns: LlmMessage[] = [
      SAID,
      { role: 'assistant', content: '', toolCalls: called.toolCalls },
      { role: 'tool', toolCallId: call?.id ?? '', content: 'It rains.' },
    ];
    const answer = await ask(turns, { tools: [WEATHER] });
    expect(answer).toMatchObject({ finishReason: 'stop', toolCalls: [], text: expect.stringContaining('It rains.') });
  });

  test.each<[string, Partial<LlmRequest>]>([
    ['that is not there', { tools: [{ ...WEATHER, name: 'other' }] }],
    ['where there is none', {}],
    ['that must not be called', { tools: [WEATHER], toolChoice: 'none' }],
  ])('%s is not called', async (_, more) => {
    expect((await asking()([SAID], more)).finishReason).toBe('stop');
  });
});

test('says what it is called and what it used, unless it is told not to', async () => {
  const answer = await asking()('Hello.');
  expect(answer).toMatchObject({ model: 'simulated', responseId: expect.stringMatching(/^simulated-/), usage: {} });
  expect((await asking()('Hello. [simulate usage=none]')).usage).toBeUndefined();
});

describe('an instance', () => {
  const tree = (names: string[], more: object) => ({
    ...{ type: 'object', $ref: '#/$defs/n' },
    $defs: {
      n: {
        type: 'object',
        properties: Object.fromEntries(names.map((name) => [name, { $ref: '#/$defs/n' }])),
        ...more,
      },
    },
  });
  test.each<[string, object, boolean]>([
    ['a tree', tree(['a', 'b', 'c', 'd', 'e', 'f'], {}), true],
    ['a tree that must branch without end', tree(['a', 'b'], { required: ['a', 'b'] }), false],
    [
      'millions of items',
      { type: 'object', properties: { a: { type: 'array', minItems: 3e7 } }, required: ['a'] },
      false,
    ],
    ['a text without end', { type: 'object', properties: { a: { minLength: 3e9 } }, required: ['a'] }, false],
    ['names of its own', { type: 'object', minProperties: 2, additionalProperties: { type: 'integer' } }, true],
    ['forms of which one cannot be', { type: 'object', anyOf: [false, { required: ['a'] }] }, true],
    ['names that need each other', { type: 'object', required: ['a'], dependentRequired: { a: ['b'] } }, true],
    [
      'a tuple',
      { type: 'object', properties: { a: { type: 'array', prefixItems: [{ const: 1 }], items: false } } },
      true,
    ],
    [
      'items of which one is special',
      { type: 'object', properties: { a: { type: 'array', contains: { const: 7 } } }, required: ['a'] },
      true,
    ],
  ])('of %s is made soon', async (_, schema, fits) => {
    const before = performance.now();
    expect((await instanceOf(schema as Record<string, never>)).fits).toBe(fits);
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});
