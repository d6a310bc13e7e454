/** The core on virtual time, whose worker lets equal jobs share answers. */
import { nodeSha256 } from '../../shared/adapters/node-sha256.ts';
import { type AnswerSharing, answerSharing } from '../../shared/core/answer-sharing.ts';
import type { ServiceError } from '../../shared/core/errors.ts';
import { gateOf } from '../../shared/core/gate.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { type Clock, sleep } from '../../shared/core/ports.ts';
import type { Submission } from '../../shared/core/submitting.ts';
import { type CoreWorld, coreWorld, FINISH, type Generate, NO_RETRY } from './core-world.ts';

export const HOUR_MS = 3_600_000;
/** Of one user; `by` names another one. */
export const EQUAL: Submission = {
  ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'A canary.' } },
  cacheMs: HOUR_MS,
};

const CALL_MS = 1_000;

/** So many deliveries of a worker wait for answers at once. */
export const FOLLOWERS = 3;

export type SharingWorld = CoreWorld & { sharing: AnswerSharing; learned: () => number };

export function sharingWorld(generate?: Generate, options: { hasCredits?: boolean } = {}): SharingWorld {
  const world = coreWorld(generate, NO_RETRY, options);
  const sharing = answerSharing({
    ...world,
    addressOf: () => undefined,
    followersMost: FOLLOWERS,
    // A hash that takes no time: others look before the next write.
    sha256: nodeSha256,
  });
  let learned = 0;
  const estimates: CoreWorld['estimates'] = {
    ...world.estimates,
    async learn(...values) {
      learned += 1;
      await world.estimates.learn(...values);
    },
  };
  const worker = world.anotherWorker({ gate: gateOf({ sharing: sharing.gate, routing: world.gate }), estimates });
  return {
    ...world,
    ...{ sharing, worker, learned: () => learned },
    run: worker.run,
    close() {
      sharing.close();
      world.close();
    },
  };
}

/** A model whose first call ends when the test lets it, as all others do soon: by an answer, or a failure. */
export function heldOnce(clock: () => Clock, failure?: ServiceError) {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const generate: Generate = async function* (_, signal, call): AsyncIterable<LlmPart> {
    yield { type: 'accepted' };
    if (call === 1) {
      await Promise.race([released, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
      signal.throwIfAborted();
    }
    if (call > 1) await sleep(clock(), CALL_MS);
    if (failure) throw failure;
    yield { type: 'text-delta', text: `answer ${call}` };
    yield FINISH;
  };
  return { generate, release: () => release() };
}
