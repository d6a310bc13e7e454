/** The simulated provider's script: how a user makes it slow, makes it fail, and makes it fail for a while. */
import { expect, test } from 'vitest';
import type { LlmPart } from '../../shared/core/llm.ts';
import type { Clock } from '../../shared/core/ports.ts';
import { simulatedProvider } from '../../shared/llm/providers/simulated.ts';

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
  return async (content: string): Promise<{ ended: string; parts: LlmPart[]; retryAfterMs?: number }> => {
    const parts: LlmPart[] = [];
    const request = { model: 'simulated', messages: [{ role: 'user' as const, content }] };
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

test('remembers the latest 1,000 prompts', async () => {
  const ask = world();
  const prompt = (n: number) => `Prompt ${n}. [simulate fail=network times=1]`;
  for (let n = 0; n <= 1_000; n++) expect((await ask(prompt(n))).ended).toBe('network');
  expect([(await ask(prompt(1))).ended, (await ask(prompt(0))).ended]).toEqual([ANSWERS, 'network']);
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
