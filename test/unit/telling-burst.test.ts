/** Many jobs that end together are told as fast as their receiver takes it, not as seldom as the sweeper rings. */
import { expect, test } from 'vitest';
import type { Sent } from '../../shared/core/notices.ts';
import { sleep } from '../../shared/core/ports.ts';
import { general, SUBMIT } from '../support/app.ts';
import { DELIVERED, HOOK, openWebhookWorld } from '../surface/webhook-world.ts';

const JOBS = 60;

/** So many jobs that are over, and whose webhooks answer after so long. */
async function ended(answerMs: number, of: (n: number) => Sent | undefined = () => DELIVERED) {
  const world = openWebhookWorld();
  const ids: string[] = [];
  for (let n = 0; n < JOBS; n++) {
    const { body } = await world.api.post(SUBMIT, { ...general({ prompt: `${n}` }), webhook: { url: HOOK } });
    ids.push(body.job_id);
    await world.doorbell(body.job_id);
    world.answers.push(async () => {
      await sleep(world.clock, answerMs);
      return of(n) ?? Promise.reject(new Error('as if the process had a fault'));
    });
  }
  const startedMs = world.clock.monotonicMs();
  const results = await Promise.allSettled(ids.map((id) => world.doorbell(id)));
  const left = await Promise.all(ids.map(async (id) => (await world.stored(id))?.outbox));
  const ms = world.clock.monotonicMs() - startedMs;
  world.close();
  return { ...world, ms, results, left: left.filter(Boolean).length };
}

test('those that find no place are told by those that had one', async () => {
  const { sent, left, ms, lines } = await ended(200);
  expect(lines.filter((line) => line.includes('telling-put-off')).length).toBeGreaterThan(40);
  expect(sent).toHaveLength(JOBS);
  expect(left).toBe(0);
  expect(ms).toBeLessThan((JOBS / 4) * 200 + 1_000);
});

test('so are those of a receiver that is slow', async () => {
  const { sent, left, ms } = await ended(5_000);
  expect(sent).toHaveLength(JOBS);
  expect(left).toBe(0);
  expect(ms).toBeLessThanOrEqual((JOBS / 4) * 5_000);
});

test('one that hangs is left to the sweeper', async () => {
  const { sent, ms } = await ended(12_000);
  expect(sent).toHaveLength(4);
  expect(ms).toBeLessThan(15_000);
});

test('a fault with one of them ends neither the doorbell nor those that others go on with', async () => {
  const { sent, left } = await ended(200, (n) => (n === 20 ? undefined : DELIVERED));
  expect(sent).toHaveLength(JOBS);
  expect(left).toBe(1);
});
