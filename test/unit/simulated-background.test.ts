/** The simulated provider's background mode: its ids hold all that a look needs, so that they outlive the process. */
import { expect, test } from 'vitest';
import { collect } from '../../shared/core/answers.ts';
import type { Background, LlmRequest } from '../../shared/core/llm.ts';
import { simulatedProvider } from '../../shared/llm/providers/simulated.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const { signal } = new AbortController();
const asking = (content: string): LlmRequest => ({ model: 'simulated', messages: [{ role: 'user', content }] });

function world() {
  const clock = virtualClock();
  /** A process that remembers nothing of another one. */
  const anew = () => simulatedProvider({ clock, simulatedMs: 1_000 }).background as Background;
  return { clock, anew };
}

async function begin(background: Background, request: LlmRequest) {
  const { id = '', providerRequestId } = await background.start(request, { signal });
  return { id, providerRequestId };
}

async function answerOf(background: Background, id: string, request: LlmRequest) {
  const seen = await background.look(id, request, { signal });
  if (!('parts' in seen)) throw new Error(JSON.stringify(seen));
  return collect(seen.parts, { facts: {}, text: '' });
}

test.each([
  ['as long as answers usually take', 'Hello.', 1_000],
  ['as long as its prompt says', 'Hello. [simulate seconds=20]', 20_000],
  ['for longer than an attempt may', 'Hello. [simulate seconds=1800]', 1_800_000],
])('works %s, then gives the answer that a call would have got, to any process', async (_, prompt, tookMs) => {
  const { clock, anew } = world();
  const request = asking(prompt);
  const { id, providerRequestId } = await begin(anew(), request);
  expect(providerRequestId).toMatch(/^simulated-/);
  await clock.advance(tookMs - 1);
  expect(await anew().look(id, request, { signal })).toEqual({ pending: true });
  await clock.advance(1);
  const answer = await answerOf(anew(), id, request);
  const call = collect(simulatedProvider({ clock, simulatedMs: 0 }).generate(asking('Hello.'), { signal }), {
    ...{ facts: {}, text: '' },
  });
  expect(answer).toMatchObject({ text: (await clock.until(call)).text, finishReason: 'stop' });
  expect(answer.usage?.totalTokens).toBeGreaterThan(0);
});

test('fails as it is told, as often as it is told, whichever process looks', async () => {
  const { clock, anew } = world();
  const request = asking('[simulate fail=overloaded times=1]');
  const background = anew();
  const first = await begin(background, request);
  const second = await begin(background, request);
  await clock.advance(1_000);
  await expect(answerOf(anew(), first.id, request)).rejects.toMatchObject({ code: 'overloaded' });
  await expect(answerOf(anew(), second.id, request)).resolves.toMatchObject({ finishReason: 'stop' });
});

test('JSON that is broken once is whole the second time', async () => {
  const { clock, anew } = world();
  const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
  const request = { ...asking('[simulate json=broken times=1]'), responseSchema: { name: 'n', schema } };
  const background = anew();
  const ids = [(await begin(background, request)).id, (await begin(background, request)).id];
  await clock.advance(1_000);
  const texts = await Promise.all(ids.map(async (id) => (await answerOf(anew(), id, request)).text));
  expect(() => JSON.parse(texts[0] ?? '')).toThrow();
  expect(JSON.parse(texts[1] ?? '')).toHaveProperty('n');
});

test.each(['', 'resp_1', 'simulated-', 'simulated-x-right', 'simulated-1-maybe'])(
  'does not know an answer "%s"',
  async (id) => {
    const { anew } = world();
    expect(await anew().look(id, asking('Hello.'), { signal })).toEqual({ gone: true });
    expect(await anew().cancel(id, { signal })).toEqual({});
  },
);
