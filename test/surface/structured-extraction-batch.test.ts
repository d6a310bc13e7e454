/** Many texts in one request of seed 002; equal texts that share a job; and cancelling. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SMALL_INPUT_BYTES_MOST } from '../../shared/core/input-size.ts';
import { warmExtraction } from '../support/extraction.ts';
import { type ExtractionWorld, extractionWorld, FOUND, TEXT, thinks } from './extraction-world.ts';

beforeAll(warmExtraction);

let world: ExtractionWorld;
afterEach(() => world?.close());

const BATCH = '/llm/submit/batch';
const creates = () => world.core.store.calls('create');

describe('a batch', () => {
  test('answers a job for each text, in their order', async () => {
    world = extractionWorld();
    const texts = Array.from({ length: 100 }, (_, n) => `Text ${n % 99}.`);
    const { status, body } = await world.post(BATCH, { texts, extended: true }, { 'X-Request-ID': 'mine-1' });
    expect([status, Object.keys(body)]).toEqual([200, ['job_ids']]);
    const ids: string[] = body.job_ids;
    expect(new Set(ids).size).toBe(100);
    expect(await Promise.all(ids.map(world.inputOf))).toEqual(texts.map((text) => ({ text, extended: true })));
    expect(world.core.published.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(await world.jobOf(ids[7] ?? '')).toMatchObject({ requestId: 'mine-1', jobType: 'structured_extraction' });
    expect((await world.get('/api/llm/jobs/?limit=100')).body.jobs).toHaveLength(100);
  });

  test('of one text is a batch, and its jobs are like any', async () => {
    world = extractionWorld();
    const [id] = (await world.post(BATCH, { texts: [TEXT] })).body.job_ids;
    await world.runToEnd(id);
    expect((await world.result(id)).body).toEqual({ job_id: id, result: FOUND });
    expect(await world.inputOf(id)).toEqual({ text: TEXT });
  });

  test('is the same jobs when it is sent again under its key', async () => {
    world = extractionWorld();
    const send = (texts: string[]) => world.post(BATCH, { texts }, { 'Idempotency-Key': 'batch-1' });
    const first = await send(['a', 'b']);
    const again = await send(['a', 'b']);
    expect([again.status, again.body]).toEqual([200, first.body]);
    expect(first.headers.get('Idempotency-Replayed')).toBeNull();
    expect(again.headers.get('Idempotency-Replayed')).toBe('true');
    const longer = await send(['a', 'b', 'c']);
    expect([longer.status, longer.headers.get('Idempotency-Replayed')]).toEqual([200, null]);
    const other = await send(['c', 'd']);
    expect([other.status, Object.keys(other.body)]).toEqual([409, ['detail']]);
    const mixed = await send(['a', 'd']);
    expect([mixed.status, mixed.body]).toEqual([409, other.body]);
    expect((await world.post(BATCH, { texts: ['a', 'b'] })).body).not.toEqual(first.body);
  });

  test('is refused whole where one text is too large', async () => {
    world = extractionWorld();
    const { status, body } = await world.post(BATCH, { texts: ['a', 'x'.repeat(SMALL_INPUT_BYTES_MOST), 'b'] });
    expect([status, body]).toEqual([
      413,
      { detail: expect.stringMatching(/^texts\.1: The input is \d+ bytes; at most 262144/) },
    ]);
    expect(creates()).toBe(0);
  });

  test('may be larger than another body', async () => {
    world = extractionWorld();
    const texts = Array.from({ length: 15 }, (_, n) => `${n}${'x'.repeat(250_000)}`);
    const { status, body } = await world.post(BATCH, { texts });
    expect([status, body.job_ids.length]).toEqual([200, 15]);
  });

  test('costs its texts', async () => {
    world = extractionWorld(undefined, { RATE_LIMITS: 'writes=60,reads=60,job-reads=600,strangers=60' });
    const wrong = await world.post(BATCH, { texts: ['a', ''] });
    expect([wrong.status, wrong.headers.get('RateLimit')]).toEqual([422, '"writes";r=19;t=1']);
    const sent = await world.post(BATCH, { texts: ['a', 'b', 'c', 'd', 'e'] });
    expect([sent.status, sent.headers.get('RateLimit')]).toEqual([200, '"writes";r=14;t=6']);
    await world.post(BATCH, { texts: Array(15).fill('a') });
    const before = creates();
    const refused = await world.post(BATCH, { texts: ['a', 'b'] });
    expect([refused.status, refused.body]).toEqual([429, { detail: expect.stringMatching(/^Too many requests/) }]);
    expect(creates()).toBe(before);
  });

  test('of which the store took a part says so, and is whole when it is sent again under its key', async () => {
    world = extractionWorld();
    const send = () => world.post(BATCH, { texts: ['a', 'b', 'c'] }, { 'Idempotency-Key': 'batch-2' });
    world.core.store.fail('create', 'before', { skip: 1 });
    const broken = await send();
    expect(world.core.store.fired('before')).toBe(1);
    expect([broken.status, broken.headers.get('Retry-After'), broken.body]).toEqual([
      ...[503, '1'],
      { detail: expect.stringMatching(/^2 of 3 texts were accepted; .*Send the batch again; under the same/) },
    ]);
    const whole = await send();
    expect([whole.status, whole.body.job_ids.length]).toEqual([200, 3]);
    expect((await world.get('/api/llm/jobs/')).body.jobs).toHaveLength(3);
  });
});

describe('equal texts', () => {
  const MINUTE_MS = 60_000;

  test('are jobs of their own, and cost no read, unless SHARE_SECONDS says otherwise', async () => {
    world = extractionWorld();
    expect(await world.submit()).not.toBe(await world.submit());
    expect(world.core.store.calls('get')).toBe(0);
  });

  test('share a job for so long, and the answer says that it was there', async () => {
    world = extractionWorld(undefined, { SHARE_SECONDS: '60' });
    const first = await world.post('/llm/submit', { text: TEXT });
    const { job_id: id } = first.body;
    await world.runToEnd(id);
    await world.clock.advance(MINUTE_MS - 1);
    const again = await world.post('/llm/submit', { text: TEXT, extended: false });
    expect([again.status, again.body]).toEqual([200, { job_id: id }]);
    expect([first, again].map(({ headers }) => headers.get('Idempotency-Replayed'))).toEqual([null, 'true']);
    expect((await world.result(id)).body.result).toBe(FOUND);
    await world.clock.advance(1);
    expect(await world.submit()).not.toBe(id);
    expect(world.core.calls()).toBe(1);
  });

  test('share none with other texts, with extended ones, under a key, or in a batch', async () => {
    world = extractionWorld(undefined, { SHARE_SECONDS: '3600' });
    const ids = [
      await world.submit(),
      await world.submit({ text: `${TEXT} ` }),
      await world.submit({ text: TEXT, extended: true }),
      await world.submit({ text: TEXT }, { 'Idempotency-Key': 'mine' }),
      ...(await world.post(BATCH, { texts: [TEXT, TEXT] })).body.job_ids,
    ];
    expect(new Set(ids).size).toBe(6);
    expect(await world.submit()).toBe(ids[0]);
    expect(await world.submit({ text: TEXT, extended: true })).toBe(ids[2]);
  });

  test('share none that was cancelled', async () => {
    world = extractionWorld(undefined, { SHARE_SECONDS: '3600' });
    const id = await world.submit();
    await world.cancel(id);
    expect(await world.submit()).not.toBe(id);
  });
});

describe('a cancel', () => {
  test('before the start ends the job, and the model is never called', async () => {
    world = extractionWorld();
    const id = await world.submit();
    const { status, body } = await world.cancel(id);
    expect([status, body]).toEqual([200, { job_id: id, status: 'canceled' }]);
    await world.runToEnd(id);
    expect(world.core.calls()).toBe(0);
    expect(await world.status(id)).toEqual({ job_id: id, status: 'canceled', stage: null });
    const result = await world.result(id);
    expect([result.status, result.body]).toEqual([404, { detail: 'No result yet. Status=canceled' }]);
  });

  test('while it runs is final from its answer on', async () => {
    world = extractionWorld(thinks);
    const id = await world.submit();
    const running = world.run(id);
    await world.clock.advance(1_000);
    const sent = [await world.cancel(id), await world.cancel(id)];
    expect(sent.map(({ status, body }) => [status, body])).toEqual([
      [200, { job_id: id, status: 'canceled' }],
      [200, { job_id: id, status: 'canceled' }],
    ]);
    const canceled = { job_id: id, status: 'canceled', stage: 'calling_llm' };
    expect((await world.jobOf(id))?.state).toBe('processing');
    expect(await world.status(id)).toEqual(canceled);
    expect((await world.result(id)).body).toEqual({ detail: 'No result yet. Status=canceled' });
    await world.clock.until(running);
    expect((await world.jobOf(id))?.state).toBe('cancelled');
    expect(await world.status(id)).toEqual(canceled);
  });

  test('after the end changes nothing', async () => {
    world = extractionWorld();
    const id = await world.submit();
    await world.runToEnd(id);
    const before = await world.jobOf(id);
    const { status, body } = await world.cancel(id);
    expect([status, body]).toEqual([200, { job_id: id, status: 'finished' }]);
    expect(await world.jobOf(id)).toEqual(before);
    expect((await world.result(id)).body.result).toBe(FOUND);
  });
});
