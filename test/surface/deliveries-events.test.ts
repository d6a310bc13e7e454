/** The events as the description has them, and as they are made: the same. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventBody } from '../../functions/surfaces/llm-jobs-deliveries-events.ts';
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import { noticeMessage } from '../../shared/core/notice-message.ts';
import { BATCH, cancelOf, general, openApp, SUBMIT, type TestApp } from '../support/app.ts';
import { answer } from '../support/core-world.ts';
import { HOOK, openWebhookWorld } from './webhook-world.ts';

const ALL = ['job.started', 'job.completed', 'job.failed', 'job.cancelled'];
const OWN = {
  ...{ tags: ['one', 'two'], metadata: { order: '17' }, project_id: 'p-1', question_id: 'q-1', max_cost: 0.5 },
  ...{ stream: true, ttl_seconds: 600 },
};

type Described = { post: { parameters: { name: string; in: string }[] } };

/** Fails where the body has a field that is not described, or lacks one that is. */
function asDescribed(text: string) {
  const body: unknown = JSON.parse(text);
  expect(eventBody.parse(body)).toEqual(body);
  return eventBody.parse(body);
}

describe('a real event', () => {
  let isBroken = false;
  let world: ReturnType<typeof openWebhookWorld>;
  beforeAll(() => {
    world = openWebhookWorld({
      generate: async function* () {
        if (isBroken) throw new ServiceError('auth', 'failed by the test');
        yield* answer();
      },
    });
  });
  afterAll(() => world.close());

  /** What a job of this end tells its webhook, in order. */
  async function told(end: 'completed' | 'failed' | 'cancelled', more: object, include?: 'job') {
    isBroken = end === 'failed';
    const webhook = { url: HOOK, events: ALL, include };
    const { body: batch } = await world.api.post(BATCH, {
      jobs: [{ ...general({ prompt: 'Hello.' }), ...more, webhook }],
    });
    const id = batch.items[0].job_id;
    if (end === 'cancelled') await world.api.send('POST', cancelOf(id));
    await world.doorbell(id);
    const before = world.sent.length;
    await world.doorbell(id);
    const from = end === 'cancelled' ? before - 1 : before;
    const job = await world.stored(id);
    return { id, batchId: batch.batch_id, job, bodies: world.sent.slice(from).map(({ message }) => message.body) };
  }

  test.each<['completed' | 'failed' | 'cancelled', object]>([
    ['completed', {}],
    ['completed', OWN],
    ['failed', {}],
    ['failed', OWN],
    ['cancelled', {}],
    ['cancelled', OWN],
  ])('of a job that is %s, with %j, is as described, thin and whole', async (end, more) => {
    for (const include of [undefined, 'job'] as const) {
      const { id, batchId, bodies, job } = await told(end, more, include);
      const events = bodies.map(asDescribed);
      const types = end === 'cancelled' ? [end] : ['started', end];
      expect(events.map(({ type }) => type)).toEqual(types.map((type) => `job.${type}`));
      const common = { job_id: id, job_type: 'general_llm_request', batch_id: batchId };
      const last = events.at(-1);
      expect(last?.data).toMatchObject({ ...common, status: end, is_complete: true, version: job?.version });
      expect(last?.data.error_code).toBe(end === 'failed' ? 'auth' : undefined);
      const { tags, metadata, project_id, question_id } = { ...OWN, ...more };
      const words = 'tags' in more ? { tags, metadata, project_id, question_id } : {};
      expect(last?.data).toMatchObject(words);
      if (types.length === 2) {
        expect(events[0]?.data).toMatchObject({ ...common, ...words, status: 'processing', is_complete: false });
        expect(events[0]?.data).not.toHaveProperty('job');
      }
      const shown = job && renderJob({ job, nowMs: world.clock.nowMs() });
      expect(last?.data.job).toEqual(include && JSON.parse(JSON.stringify(shown)));
      // The topic gets the same, but never the whole job.
      const notice = { type: end, version: job?.version ?? 0, happenedAt: job?.completedAt ?? 0 };
      const published = asDescribed((await noticeMessage(job as never, notice)).body);
      const { job: _, ...thin } = last?.data ?? {};
      expect(published).toEqual({ ...last, data: thin });
    }
  });

  test('with more than 20 kB in it is sent without the job, and then without its words', async () => {
    const metadata = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`${n}`, '漢'.repeat(500)]));
    const { bodies } = await told('completed', { metadata }, 'job');
    const events = bodies.map(asDescribed);
    for (const { data } of events) {
      expect(data).not.toHaveProperty('job');
      expect(data).not.toHaveProperty('metadata');
    }
    const small = await told('completed', { metadata: { order: '漢'.repeat(500) } }, 'job');
    for (const body of [...bodies, ...small.bodies]) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(20_000);
    expect(asDescribed(small.bodies.at(-1) ?? '').data).toHaveProperty('job');
  });

  test('is refused by the description when it has another form', () => {
    expect(() => asDescribed('{"type":"job.done","timestamp":"2025-01-18T10:15:30Z","data":{}}')).toThrow();
  });
});

describe('the description', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await openApp();
  });
  afterAll(() => api.close());

  test('has each event, its headers, and what may be answered', async () => {
    const { body } = await api.get('/openapi.json');
    expect(Object.keys(body.webhooks).sort()).toEqual([...ALL].sort());
    for (const { post } of Object.values<Described>(body.webhooks)) {
      expect(post).toMatchObject({
        ...{ summary: expect.stringMatching(/\w/), description: expect.stringMatching(/\w/) },
        requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/JobEvent' } } } },
        responses: { '2XX': { description: expect.any(String) }, 410: { description: expect.any(String) } },
      });
      expect(post.parameters.map((one) => [one.name, one.in])).toEqual([
        ['webhook-id', 'header'],
        ['webhook-timestamp', 'header'],
        ['webhook-signature', 'header'],
      ]);
    }
    expect(body.components.schemas.JobEvent.properties.type.enum).toEqual(ALL);
    // A route of ours it is not.
    expect((await api.post('/job.completed', {})).status).toBe(404);
  });

  test('has the routes, and says where the address of a webhook is shown', async () => {
    const { body } = await api.get('/openapi.json');
    expect(body.paths['/api/llm/jobs/{job_id}/deliveries'].get.security).toEqual([
      { bearer: ['jobs:read'] },
      { session: ['jobs:read'] },
    ]);
    expect(body.paths['/api/llm/webhooks/secrets'].get.security[0]).toEqual({ bearer: ['admin'] });
    expect(body.components.schemas.Job.properties).not.toHaveProperty('webhook');
    const { webhook } = body.components.schemas.Deliveries.properties;
    expect(Object.keys(webhook.properties)).toEqual(['url', 'events', 'include']);
  });

  test('is kept to by the answers: what a log shows is described', async () => {
    const world = openWebhookWorld();
    const { body } = await world.api.post(SUBMIT, { ...general({ prompt: 'Hello.' }), webhook: { url: HOOK } });
    world.answers.push({ delivered: false, ms: 7, status: 500, failure: 'status', message: 'It answered 500.' });
    await world.doorbell(body.job_id);
    await world.doorbell(body.job_id);
    const shown = (await world.api.get(body.urls.deliveries)).body;
    const { properties, required } = (await api.get('/openapi.json')).body.components.schemas.Deliveries;
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(shown)));
    expect(Object.keys(shown)).toEqual(expect.arrayContaining(required));
    const [delivery] = shown.deliveries;
    expect(Object.keys(properties.deliveries.items.properties)).toEqual(expect.arrayContaining(Object.keys(delivery)));
    world.close();
  });
});
