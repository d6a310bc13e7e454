/** Prompt generation on virtual time: its endpoints over a real SQLite, with a provider that the test writes. */
import { expect } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import type { Runtime } from '../../shared/runtime.ts';
import { callsOf, type Reply } from '../support/app.ts';
import { ADA, coreWorld, type Generate } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

export const ROOT = '/api/v1/web-knowledge';
export const START = `${ROOT}/generate-prompt-async/`;
export const GENERATE = `${ROOT}/generate-prompt/`;
export const statusOf = (id: string) => `${ROOT}/generate-prompt-async/status/${id}/`;
export const cancelOf = (id: string) => `${ROOT}/generate-prompt-async/cancel/${id}/`;
export const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
export const MANUAL = { manual_prompt: 'Answer questions about our bakery in Bern.' };

export type PromptWorld = ReturnType<typeof promptWorld>;

export function promptWorld(generate?: Generate) {
  const world = coreWorld(generate);
  const as = (principal: Principal = ADA, over: Partial<Runtime> = {}) =>
    callsOf(appOver(world, { authenticate: alwaysAs(principal), ...over }));
  const { get, post, send } = as();

  async function start(headers: Record<string, string> = {}): Promise<string> {
    const { status, body } = await post(START, MANUAL, headers);
    if (status !== 202) throw new Error(`start answered ${status} ${JSON.stringify(body)}`);
    return body.task_id;
  }

  return {
    ...world,
    ...{ world, as, get, post, send, start },
    look: async (id: string): Promise<Reply['body']> => (await get(statusOf(id))).body,
    keyOf: (id: string) => ({ tenant: ADA.tenant, id }),
    /** A worker takes the task, and time passes until it is done with it. */
    work: (id: string) => world.clock.until(world.run({ tenant: ADA.tenant, id })),
  };
}
