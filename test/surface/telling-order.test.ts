/** Never an older event after a newer one, also when whoever tells is lost between the two and their being written down. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { transition } from '../../shared/core/lifecycle.ts';
import { sleep } from '../../shared/core/ports.ts';
import { general, SUBMIT } from '../support/app.ts';
import { DELIVERED, HOOK, openWebhookWorld } from './webhook-world.ts';

let world: ReturnType<typeof openWebhookWorld>;
beforeEach(() => {
  world = openWebhookWorld();
});
afterEach(() => world.close());

test.each(['job.started', 'job.completed'])('who tells is lost when %s was delivered', async (lost) => {
  const webhook = { url: HOOK, events: ['job.started', 'job.completed'] };
  const { body } = await world.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook });
  await world.doorbell(body.job_id);
  const die = async () => {
    world.store.fail('update', 'before', { times: 6 });
    return DELIVERED;
  };
  world.answers.push(...(lost === 'job.started' ? [die] : [DELIVERED, die]));
  await world.doorbell(body.job_id);
  expect(world.store.fired()).toBe(6);
  await world.clock.advance(60_000);
  await world.doorbell(body.job_id);
  const types = world.sent.map(({ message }) => JSON.parse(message.body).type);
  expect(types.at(-1)).toBe('job.completed');
  expect(types.filter((type) => type === lost)).toHaveLength(2);
  expect(types.lastIndexOf('job.started')).toBeLessThan(types.indexOf('job.completed'));
  expect((await world.stored(body.job_id))?.outbox).toBeUndefined();
});

test('who was given the right to tell too late calls nobody: another one may have it by the end of the call', async () => {
  const { body } = await world.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook: { url: HOOK } });
  await world.doorbell(body.job_id);
  world.store.before('update', () => sleep(world.clock, 15_001));
  await world.doorbell(body.job_id);
  expect(world.sent).toHaveLength(0);
  await world.clock.advance(60_000);
  await world.doorbell(body.job_id);
  expect(world.sent).toHaveLength(1);
});

test('who finds that somebody else was faster calls nobody', async () => {
  const { body } = await world.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook: { url: HOOK } });
  await world.doorbell(body.job_id);
  let isTaken = false;
  world.store.before('update', async () => {
    const found = await world.store.get({ tenant: 'default', id: body.job_id });
    if (!found) return;
    const event = { type: 'take-notices', nowMs: found.readAtMs, token: 'of another', leaseMs: 30_000 } as const;
    const { changes } = transition(found.job, event);
    if (changes) isTaken = 'written' in (await world.store.update(found.job, found.revision, changes));
  });
  await world.doorbell(body.job_id);
  expect(isTaken).toBe(true);
  expect(world.sent).toHaveLength(0);
  expect((await world.stored(body.job_id))?.outbox).toMatchObject({ token: 'of another', tries: 1 });
});

test('a receiver that asked for patience is not called when the topic is tried again', async () => {
  let published = 0;
  const publish = async () => {
    published += 1;
    if (published === 1) throw new ServiceError('store_unavailable', 'The topic is out.');
  };
  world.close();
  world = openWebhookWorld({ eventsTopic: { publish } });
  const webhook = { url: HOOK, events: ['job.started'] };
  const { body } = await world.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook });
  const busy = { delivered: false, ms: 1, status: 503, failure: 'status', message: '503', retryAfterMs: 3_600_000 };
  world.answers.push(busy as typeof DELIVERED);
  await world.doorbell(body.job_id);
  await world.doorbell(body.job_id);
  await world.clock.advance(60_000);
  await world.doorbell(body.job_id);
  expect(published).toBe(3);
  expect(world.sent).toHaveLength(1);
  await world.clock.advance(3_600_000);
  await world.doorbell(body.job_id);
  expect(world.sent).toHaveLength(2);
});
