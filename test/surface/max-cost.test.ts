/** `max_cost`: refused before a job is taken in, and held by the output limit of each call. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROTOCOLS, type Protocol } from '../providers/protocols.ts';
import { BATCH, general, openApp, type Reply, SUBMIT } from '../support/app.ts';
import { startScriptedProvider } from '../support/scripted-provider.ts';
import { type PricedWorld, pricedWorld } from './priced-world.ts';

let world: PricedWorld;
beforeEach(() => {
  world = pricedWorld();
});
afterEach(() => world.close());

describe('max_cost', () => {
  const refused = async (body: object, to = SUBMIT): Promise<Reply> => {
    const before = world.store.calls('create');
    const reply = await world.as().post(to, body);
    expect(world.store.calls('create')).toBe(before);
    return reply;
  };

  test.each([
    ['0', 'must be a number of US dollars above 0, at most 1000'],
    ['-1', 'above 0'],
    ['1000.01', 'at most 1000'],
    ['"1"', 'must be a number of US dollars'],
    ['null', 'must be a number of US dollars'],
  ])('of %s is refused', async (value, words) => {
    const { status, body } = await refused({
      ...general({ prompt: 'Hello.' }, 'gpt-5-mini'),
      max_cost: JSON.parse(value),
    });
    expect([status, body.details]).toEqual([400, [{ path: 'max_cost', message: expect.stringContaining(words) }]]);
  });

  test('that the input alone goes beyond, or that nobody can keep, is refused before the job is taken in', async () => {
    const long = { ...general({ prompt: 'word '.repeat(10_000) }, 'gpt-5-mini'), max_cost: 0.0025 };
    const dear = await refused(long);
    expect([dear.status, dear.body.details]).toEqual([
      400,
      [
        {
          path: 'max_cost',
          message: expect.stringMatching(/gpt-5-mini .* costs at least about \$0\.0025\d+, more than max_cost/),
        },
      ],
    ]);
    const unknown = await refused({ ...general({ prompt: 'Hello.' }, 'llama3.2'), max_cost: 1 });
    expect([unknown.status, unknown.body.details]).toEqual([
      400,
      [{ path: 'max_cost', message: expect.stringContaining('price of llama3.2 is not known') }],
    ]);
    const { body } = await world.as().post(BATCH, { jobs: [general({ prompt: 'Hello.' }), long] });
    expect(body.items[1]).toMatchObject({ success: false, details: [{ path: 'max_cost' }] });
  });

  test('is held by the output limit: the provider is asked for so many tokens, and shown in every view', async () => {
    const key = await world.done('Hello.', { max_cost: 0.0010015 });
    // 6 tokens in for 1,500 nano-dollars; what is left buys 500 out.
    expect(world.requests.map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([500]);
    expect(await world.view(key)).toMatchObject({ max_cost: 0.0010015 });
    await world.done('Hello.');
    expect(world.requests.at(-1)).not.toHaveProperty('maxOutputTokens');
  });

  test('is for all attempts together: what one that was lost may have cost is left out of the next', async () => {
    const limited = { prompt: 'Hello.', max_tokens: 1_000 };
    await world.lost('Hello.', { max_cost: 0.0030015, input_data: limited });
    // 3,001,500 - 2,001,500 for the lost one leaves 1,000,000: 1,500 for the input, and 499 tokens.
    expect(world.requests.map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([499]);
  });

  test('without a limit of its own, a call that was lost may have used it all', async () => {
    const key = await world.lost('Hello.', { max_cost: 0.0030015 });
    expect(world.requests).toEqual([]);
    expect(await world.view(key)).toMatchObject({ error_code: 'cost_limit', cost_estimated: true });
  });

  test('that is used up ends the job', async () => {
    const key = await world.lost('Hello.', { max_cost: 0.002 });
    expect(world.requests).toEqual([]);
    expect(await world.view(key)).toMatchObject({ status: 'failed', error_code: 'cost_limit' });
  });
});

describe('over a real socket', () => {
  test('the provider sees the output limit, and what it counted is priced', async () => {
    const openai = await startScriptedProvider();
    const { opening, delta, ending } = PROTOCOLS[0] as Protocol;
    openai.answerWith(async ({ stream, write, response }) => {
      stream();
      await write(opening + delta('Hi!') + ending);
      response.end();
    });
    const api = await openApp({ OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: `${openai.url}/v1` });
    const body = { ...general({ prompt: 'Hello.' }, 'gpt-4o-mini'), max_cost: 0.0000129, project_id: 17 };
    const { body: submitted } = await api.post(SUBMIT, body);
    expect(submitted).toMatchObject({ success: true, max_cost: 0.0000129, project_id: '17' });
    // 11 in, 4 of them cached, and 7 out: 7 × 150 + 4 × 75 + 7 × 600.
    const ended = await api.poll(submitted.job_id);
    expect(ended).toMatchObject({ status: 'completed', cost: 0.00000555, max_cost: 0.0000129, project_id: '17' });
    // 12,900 nano-dollars: 6 tokens in by estimate, 900, and 20 out.
    expect(openai.requests.map(({ body: asked }) => asked)).toMatchObject([{ max_output_tokens: 20 }]);
    const { total } = (await api.get('/api/llm/usage/')).body;
    expect(total).toMatchObject({ jobs: 1, cost: 0.00000555, input_tokens: 11, reasoning_tokens: 2 });
    await api.close();
    await openai.stop();
  });
});
