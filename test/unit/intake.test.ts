/** Published submissions: taken in once, run in the same delivery, and never lost without a trace. */
import { afterEach, describe, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import { toFieldErrors } from '../../shared/core/field-errors.ts';
import type { JobKey } from '../../shared/core/job.ts';
import { jobService } from '../../shared/core/service.ts';
import type { WorkOutcome } from '../../shared/core/worker.ts';
import { intakeHandler, subscriptionPrincipal } from '../../shared/http/intake.ts';
import { publishedSubmissionSchema, toSubmission } from '../../shared/job-types/submission.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { ADA, type CoreWorld, coreWorld, NO_PROVIDERS } from '../support/core-world.ts';

let world: CoreWorld;
afterEach(() => world.close());

const GOOD = { job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'Hello.' } };
const ID = '0197b1a2-7c3d-7e4f-8a5b-6c7d8e9f0a1b';

function open() {
  world = coreWorld();
  const parse = (content: unknown) => {
    const parsed = publishedSubmissionSchema.safeParse(content);
    return parsed.success ? { submission: toSubmission(parsed.data) } : { wrong: toFieldErrors(parsed.error.issues) };
  };
  const handle = intakeHandler({ ...world, parse }, ADA);
  return (content: unknown, messageId = 'm-1') => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    return handle({ message: { data: Buffer.from(text).toString('base64'), messageId }, subscription: 's' });
  };
}

const jobs = async () => (await world.service.list(ADA, { limit: 100, offset: 0 })).jobs.map(({ job }) => job);

test("a submission is run in its own delivery, without a doorbell, for the subscription's principal", async () => {
  const publish = open();
  expect(await publish({ ...GOOD, question_id: 'q' })).toBe(true);
  expect(await jobs()).toMatchObject([
    { state: 'completed', tenant: 'default', user: 'ada', questionId: 'q', attempt: 1 },
  ]);
  expect(world.published).toEqual([]);
});

describe('a repeat makes no second job and no second call', () => {
  test.each<[string, object, string[]]>([
    ['by job_id', { job_id: ID }, ['m-1', 'm-2']],
    ['by idempotency_key', { idempotency_key: 'k' }, ['m-1', 'm-2']],
    ['by message', {}, ['m-1', 'm-1']],
  ])('%s', async (_, named, messages) => {
    const publish = open();
    for (const messageId of messages) expect(await publish({ ...GOOD, ...named }, messageId)).toBe(true);
    expect(await jobs()).toHaveLength(1);
    expect(world.calls()).toBe(1);
  });

  test('but another message without a name is another job', async () => {
    const publish = open();
    await publish(GOOD, 'm-1');
    await publish(GOOD, 'm-2');
    expect(await jobs()).toHaveLength(2);
  });

  test('and it is the same job over HTTP', async () => {
    const publish = open();
    await publish({ ...GOOD, idempotency_key: 'k' });
    const again = await world.service.submit(ADA, {
      ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Hello.' } },
      idempotencyKey: 'k',
    });
    expect(again).toMatchObject({ replayed: true, job: { state: 'completed' } });
  });
});

describe('what cannot be taken in is a failed job, once, and acknowledged', () => {
  test.each<[string, unknown, string, string]>([
    ['not JSON', '{"job_type":', 'invalid_request', 'the message is not JSON'],
    ['not a submission', [1], 'invalid_request', 'must be an object'],
    ['an unknown job type', { ...GOOD, job_type: 'magic' }, 'invalid_request', 'job_type: must be one of'],
    [
      'a wrong field',
      { ...GOOD, input_data: { prompt: '' } },
      'invalid_request',
      'input_data.prompt: must not be empty',
    ],
    ['an unknown field', { ...GOOD, tenant: 'other' }, 'invalid_request', 'tenant: is not a known field'],
    ['a lone surrogate', '{"job_type":"\\ud800"}', 'invalid_request', 'lone surrogate'],
    [
      'an id beside a key',
      { ...GOOD, job_id: ID, idempotency_key: 'k' },
      'invalid_request',
      'must not be given beside job_id',
    ],
    ['a wrong key', { ...GOOD, idempotency_key: 'ü' }, 'invalid_request', 'visible ASCII'],
    ['a wrong id', { ...GOOD, job_id: 'x' }, 'invalid_request', 'job_id: must be a UUID of version 4 or 7'],
    ['an unknown model', { ...GOOD, model_id: 'nope' }, 'invalid_request', 'model_id: no such model'],
    ['a model without a key', { ...GOOD, model_id: 'gpt-4' }, 'model_unavailable', 'OPENAI_API_KEY'],
    ['too much input', { ...GOOD, input_data: { prompt: 'x'.repeat(8_400_000) } }, 'input_too_large', '8388608'],
  ])('%s', async (_, content, code, sentence) => {
    const publish = open();
    for (let times = 0; times < 3; times++) expect(await publish(content)).toBe(true);
    expect(await jobs()).toMatchObject([
      { state: 'failed', error: { code, message: expect.stringContaining(sentence) }, attempts: [], wakeAt: null },
    ]);
    expect(world.calls()).toBe(0);
  });

  test('it keeps the id, the type and the model that it named, so that its publisher finds it', async () => {
    const publish = open();
    await publish({ ...GOOD, job_id: ID, model_id: 'nope' });
    const { job } = await world.service.read(ADA, ID);
    expect(job).toMatchObject({ jobType: 'general_llm_request', model: { name: 'nope' } });
  });

  test('a key that named a wrong submission is free for the mended one', async () => {
    const publish = open();
    await publish({ ...GOOD, idempotency_key: 'k', model_id: 'nope' }, 'm-1');
    await publish({ ...GOOD, idempotency_key: 'k', model_id: 'gpt-4' }, 'm-2');
    await publish({ ...GOOD, idempotency_key: ' "k" ' }, 'm-3');
    await publish({ ...GOOD, idempotency_key: 'k' }, 'm-4');
    expect((await jobs()).map((job) => job.state).sort()).toEqual(['completed', 'failed', 'failed']);
  });

  test('its sentence is short, whatever the message calls its fields', async () => {
    const publish = open();
    const names = Array.from({ length: 12 }, (_, index) => [`${index}`.repeat(100_000), 1]);
    await publish({ ...GOOD, ...Object.fromEntries(names) });
    expect((await jobs())[0]?.error?.message.length).toBeLessThan(5_000);
  });

  test('a wrong repeat leaves the job that it names as it is', async () => {
    const publish = open();
    await publish({ ...GOOD, job_id: ID });
    const { job: before } = await world.service.read(ADA, ID);
    expect(await publish({ ...GOOD, job_id: ID, model_id: 'nope' }, 'm-2')).toBe(true);
    expect(await publish({ ...GOOD, job_id: ID, input_data: { prompt: 'Bye.' } }, 'm-3')).toBe(true);
    expect((await world.service.read(ADA, ID)).job).toEqual(before);
    expect(await jobs()).toHaveLength(1);
    expect(world.lines.join()).toContain('idempotency_conflict');
  });
});

test('a store that gives no answer asks for another delivery, which then makes the one job', async () => {
  const publish = open();
  world.store.fail('create', 'before');
  expect(await publish(GOOD)).toBe(false);
  expect(world.store.fired()).toBe(1);
  expect(await publish(GOOD)).toBe(true);
  expect(await jobs()).toHaveLength(1);
});

describe('a submission that was taken in, and could not be run at once, is acknowledged, and its doorbell is rung', () => {
  const read = () => publishedSubmissionSchema.parse(GOOD);
  const body = { message: { data: Buffer.from(JSON.stringify(GOOD)).toString('base64'), messageId: 'm-1' } };

  test.each<[string, () => Promise<WorkOutcome>]>([
    ['because its worker is about to stop', async () => ({ refused: 'draining' })],
    ['because the store gave no answer', () => Promise.reject(new ServiceError('store_unavailable', 'silent'))],
  ])('%s', async (_, run) => {
    world = coreWorld();
    const rung: JobKey[] = [];
    const ring = async (key: JobKey) => void rung.push(key);
    const handle = intakeHandler({ ...world, parse: () => ({ submission: toSubmission(read()) }), run, ring }, ADA);
    expect(await handle(body)).toBe(true);
    expect(await jobs()).toMatchObject([{ state: 'pending', id: rung[0]?.id }]);
    expect(rung).toHaveLength(1);
  });
});

test('bytes that are no UTF-8, and a message without data, leave a trace, too', async () => {
  open();
  const handle = intakeHandler({ ...world, parse: () => ({ wrong: [{ path: '', message: 'x' }] }) }, ADA);
  const data = Buffer.from([0x22, 0xff, 0x22]).toString('base64');
  expect(await handle({ message: { data, messageId: 'm-1' } })).toBe(true);
  expect(await handle({ message: { attributes: { a: 'b' }, messageId: 'm-2' } })).toBe(true);
  expect(await jobs()).toHaveLength(2);
  expect((await jobs()).every((job) => job.error?.message === 'the message is not JSON')).toBe(true);
});

test.each([
  ['https://w/submissions', { tenant: 'default', user: 'local' }],
  ['https://w/submissions?tenant=acme&user=reports', { tenant: 'acme', user: 'reports' }],
  ['https://w/submissions?tenant=a~b', undefined],
  ['https://w/submissions?user=', undefined],
])('%s publishes as %o', (url, principal) => {
  const found = subscriptionPrincipal(new URL(url));
  expect(found && { tenant: found.tenant, user: found.user }).toEqual(principal);
});

test('a body that is no delivery is acknowledged and logged', async () => {
  world = coreWorld();
  const handle = intakeHandler({ ...world, parse: () => ({ wrong: [] }) }, ADA);
  expect(await handle({ hello: 1 })).toBe(true);
  expect(world.lines.join()).toContain('message-unreadable');
});

test('a published submission is of the trace that its message names, and another trace makes it no other submission', async () => {
  world = coreWorld();
  const tracing = opentelemetryTracing();
  const service = jobService({
    ...{ ...world, tracing, models: modelCatalog({ ...NO_PROVIDERS, clock: world.clock }), wakeShards: 1 },
  });
  const submission = { ...toSubmission(publishedSubmissionSchema.parse(GOOD)), jobId: ID };
  const handle = intakeHandler({ ...world, service, tracing, parse: () => ({ submission }) }, ADA);
  const traceOf = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;
  for (const digit of ['1', '2']) {
    const message = { data: '', messageId: digit, attributes: { googclient_traceparent: traceOf(digit) } };
    expect(await handle({ message: { ...message, data: Buffer.from('{}').toString('base64') } })).toBe(true);
  }
  expect(await jobs()).toMatchObject([{ id: ID, traceparent: traceOf('1') }]);
  service.close();
});
