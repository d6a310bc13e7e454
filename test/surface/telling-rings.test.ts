/** Whoever brings a job to its end rings for those who have to be told: nobody waits for the sweeper. */
import { expect, test } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import { cancelOf, general, SUBMIT } from '../support/app.ts';
import { ADA } from '../support/core-world.ts';
import { HOOK, openWebhookWorld, type WebhookWorldOptions } from './webhook-world.ts';

async function inWorld(
  options: WebhookWorldOptions,
  body: (world: ReturnType<typeof openWebhookWorld>) => Promise<void>,
) {
  const world = openWebhookWorld(options);
  try {
    await body(world);
  } finally {
    world.close();
  }
}

const withHook = { ...general({ prompt: 'Hi' }), webhook: { url: HOOK } };

test('a cancel of a job that nobody holds', () =>
  inWorld({}, async ({ api, published, doorbell, sent }) => {
    const { body } = await api.post(SUBMIT, withHook);
    const before = published.length;
    await api.post(cancelOf(body.job_id), {});
    expect(published.slice(before)).toEqual([{ tenant: ADA.tenant, id: body.job_id }]);
    await doorbell(body.job_id);
    expect(sent.map(({ message }) => JSON.parse(message.body).type)).toEqual(['job.cancelled']);
  }));

test('a message that could not be taken in, whose failure the topic is told', async () => {
  const events: (string | undefined)[] = [];
  const eventsTopic = { publish: async (_: string, { type }: { [name: string]: string }) => void events.push(type) };
  await inWorld({ eventsTopic }, async ({ service, published, doorbell }) => {
    const message = { messageId: '17', content: { job_type: 'unknown' } };
    const { id } = await service.recordRejected(ADA, message, new ServiceError('invalid_request', 'It is none.'));
    expect(published).toEqual([{ tenant: ADA.tenant, id }]);
    await doorbell(id);
    expect(events).toEqual(['job.failed']);
  });
});

test('a retry keeps a webhook that is not allowed any more: it is refused when it is called', () =>
  inWorld({ hosts: ['hooks.example.com'] }, async ({ api, store, doorbell, stored }) => {
    const { body } = await api.post(SUBMIT, withHook);
    await api.post(cancelOf(body.job_id), {});
    const found = await store.get({ tenant: ADA.tenant, id: body.job_id });
    const webhook = { url: 'https://elsewhere.example.com/', events: ['completed' as const] };
    if (found) await store.update(found.job, found.revision, { webhook });
    const { status, body: again } = await api.post(`/api/llm/jobs/${body.job_id}/retry/`, {});
    expect(status).toBe(202);
    expect((await stored(again.job_id))?.webhook).toEqual(webhook);
    await doorbell(again.job_id);
    expect((await stored(again.job_id))?.state).toBe('completed');
  }));
