/** The application with a priced model on virtual time: what its jobs cost can be summed up by hand. */
import { expect } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { LlmPart, LlmRequest } from '../../shared/core/llm.ts';
import { jobService } from '../../shared/core/service.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { callsOf, cancelOf, general, SUBMIT, statusOf } from '../support/app.ts';
import { ADA, coreWorld, FINISH, LEASE_MS, NO_PROVIDERS, NO_RETRY } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

/** 600 × 250 + 400 × 25 + 500 × 2,000 nano-dollars, whatever was reasoned. */
export const ANSWERED = 0.00116;
/** "Break." and a message, 6 tokens, and three words. */
export const BROKEN = 0.0000075;
/** 6 tokens in, and two words. */
export const HUNG = 0.0000055;
/** 6 tokens in, and the thousand of an answer that nobody limited. */
export const LOST = 0.0020015;
export const round = (usd: number) => Number(usd.toFixed(9));

/** What the provider does with each prompt. A token in costs 250 nano-dollars, cached 25, and one out 2,000. */
async function* provider(request: LlmRequest, signal: AbortSignal): AsyncIterable<LlmPart> {
  const prompt = request.messages[0]?.content;
  if (prompt === 'Refuse.') throw new ServiceError('invalid_request', 'No.');
  yield { type: 'accepted' };
  if (prompt === 'Break.') {
    yield { type: 'text-delta', text: 'some words came' };
    throw new ServiceError('network', 'Cut.');
  }
  if (prompt === 'Hang.') {
    yield { type: 'text-delta', text: 'one two' };
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }
  yield { type: 'text-delta', text: 'Hi!' };
  const counted = { inputTokens: 1_000, outputTokens: 500, totalTokens: 1_500 };
  yield { type: 'usage', usage: { ...counted, cachedInputTokens: 400, reasoningTokens: 320 } };
  yield FINISH;
}

export type PricedWorld = ReturnType<typeof pricedWorld>;

export function pricedWorld() {
  const requests: LlmRequest[] = [];
  const world = coreWorld((request, signal) => {
    requests.push(request);
    return provider(request, signal);
  }, NO_RETRY);
  const own = { openaiCompatibleBaseUrl: 'http://127.0.0.1:9/v1', openaiCompatibleModels: ['llama3.2'] };
  const models = modelCatalog({ ...NO_PROVIDERS, ...own, openaiApiKey: 'sk-test', clock: world.clock });
  const service = jobService({ ...world, models, wakeShards: 1 });
  const appAs = (principal: Principal = ADA) => appOver(world, { service, models, authenticate: alwaysAs(principal) });
  const as = (principal?: Principal) => callsOf(appAs(principal));

  async function submit(prompt: string, more: object = {}, model = 'gpt-5-mini') {
    const { status, body } = await as().post(SUBMIT, { ...general({ prompt }, model), ...more });
    expect([status, body.error]).toEqual([202, undefined]);
    return { tenant: ADA.tenant, id: body.job_id as string };
  }

  return {
    /** What is beneath it. */
    core: world,
    ...{ ...world, models, requests, appAs, as, submit },
    view: async ({ id }: { id: string }) => (await as().get(statusOf(id))).body,
    /** A job that was run to its end. */
    async done(prompt: string, more: object = {}, model?: string) {
      const key = await submit(prompt, more, model);
      await world.clock.until(world.run(key));
      return key;
    },
    /** A job whose first worker died in its call; the second one takes it. */
    async lost(prompt: string, more: object = {}) {
      const key = await submit(prompt, more);
      const startedAt = world.clock.nowMs();
      const { revision = '' } = (await world.store.get(key)) ?? {};
      await world.store.update(key, revision, {
        ...{ state: 'processing', attempt: 1, token: 'of the dead', leaseExpiresAt: startedAt + LEASE_MS },
        attempts: [{ n: 1, startedAt, provider: 'openai', model: 'gpt-5-mini', calls: 1 }],
      });
      await world.clock.advance(LEASE_MS);
      await world.clock.until(world.run(key));
      return key;
    },
    /** A job whose end was asked for while it ran. */
    async cancelled(prompt: string) {
      const key = await submit(prompt);
      const running = world.run(key);
      await world.clock.advance(1_000);
      expect((await as().post(cancelOf(key.id), {})).status).toBe(200);
      await world.clock.until(running);
      return key;
    },
    close() {
      service.close();
      world.close();
    },
  };
}
