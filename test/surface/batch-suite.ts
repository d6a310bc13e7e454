/** S07 over HTTP: batches, on any store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BATCH, general, LIST, type Reply, statusOf, type TestApp } from '../support/app.ts';

export type BatchTarget = Pick<TestApp, 'get' | 'post'> & { close(): Promise<void> };

function job<More extends object>(prompt: string, more?: More) {
  return { ...general({ prompt }), ...more };
}
const keyed = (key: string) => ({ 'Idempotency-Key': key });
const key = () => crypto.randomUUID();
// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests ask
type Item = any;

export function batchSuite(name: string, open: () => Promise<BatchTarget>): void {
  describe(`a batch, ${name}`, () => {
    let api: BatchTarget;
    beforeAll(async () => {
      api = await open();
    });
    afterAll(() => api.close());

    const idsOf = ({ body }: Reply) => body.items.map((item: Item) => item.job_id);
    const listed = async (batchId: string) => {
      const jobs = [];
      for (let query = `batch_id=${batchId}&limit=100`; ; ) {
        const { body } = await api.get(`${LIST}?${query}`);
        jobs.push(...body.jobs);
        if (!body.next_cursor) return jobs;
        query = `batch_id=${batchId}&limit=100&cursor=${body.next_cursor}`;
      }
    };

    test('jobs that all were there before, in another order or a part of them, are shown as the batch that they are of', async () => {
      const [one, two] = [job('One.', { idempotency_key: key() }), job('Two.', { idempotency_key: key() })];
      const first = await api.post(BATCH, { jobs: [one, two] });
      for (const jobs of [[two, one], [one], [one, two]]) {
        const { status, headers, body } = await api.post(BATCH, { jobs });
        expect([status, headers.get('Idempotency-Replayed')]).toEqual([202, 'true']);
        expect(body.batch_id).toBe(first.body.batch_id);
        expect(body.items.map((item: Item) => item.batch_id)).toEqual(jobs.map(() => body.batch_id));
        expect((await api.get(body.urls.status)).body).toMatchObject({ success: true, total: 2 });
      }
    });

    test.each([0, 3, 6])(
      'S07 of 7 jobs the one with index %i is wrong: the others are accepted, in order',
      async (bad) => {
        const jobs = Array.from({ length: 7 }, (_, index) => job(`S07 ${bad}/${index}`, { question_id: `q-${index}` }));
        const given = jobs.map((good, index) => (index === bad ? { ...good, input_data: { prompt: 5 } } : good));
        const { status, headers, body } = await api.post(BATCH, { jobs: given });
        expect(status).toBe(202);
        expect(Object.keys(body)).toEqual(['success', 'batch_id', 'items', 'accepted', 'rejected', 'urls']);
        const status_ = `${BATCH}${body.batch_id}/`;
        expect(body).toMatchObject({ success: true, accepted: 6, rejected: 1, urls: { status: status_ } });
        expect(headers.get('Location')).toBe(status_);
        expect(headers.get('Idempotency-Replayed')).toBeNull();
        expect(body.items.map((item: Item) => item.index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
        for (const item of body.items) {
          if (item.index === bad) {
            expect(item).toEqual({
              ...{ index: bad, success: false, code: 'invalid_request', error: 'input_data.prompt: must be a string' },
              details: [{ path: 'input_data.prompt', message: 'must be a string' }],
            });
            continue;
          }
          expect(item).toMatchObject({ success: true, status: 'pending', batch_id: body.batch_id });
          expect(item).not.toHaveProperty('replayed');
          expect(item.urls.status).toBe(statusOf(item.job_id));
          expect((await api.get(item.urls.status)).body).toMatchObject({ question_id: `q-${item.index}` });
        }
        const found = (await listed(body.batch_id)).map((view) => view.job_id);
        expect(new Set(found)).toEqual(new Set(idsOf({ body } as Reply).filter((id: unknown) => id !== undefined)));
        expect((await api.get(status_)).body).toMatchObject({ success: true, batch_id: body.batch_id, total: 6 });
      },
    );

    test('S07 500 jobs, each found under its index; and the same batch again is the same 500', async () => {
      const header = keyed(key());
      const jobs = Array.from({ length: 500 }, (_, index) =>
        job(`one of 500: ${index}`, { question_id: `q-${index}` }),
      );
      const first = await api.post(BATCH, { jobs }, header);
      expect([first.status, first.body.accepted, first.body.rejected]).toEqual([202, 500, 0]);
      expect(first.headers.get('Idempotency-Replayed')).toBeNull();
      const views = await listed(first.body.batch_id);
      expect(views).toHaveLength(500);
      const questions = new Map(views.map((view) => [view.job_id, view.question_id]));
      expect(idsOf(first).map((id: string) => questions.get(id))).toEqual(jobs.map((_, index) => `q-${index}`));
      expect((await api.get(first.body.urls.status)).body).toMatchObject({ total: 500 });

      const again = await api.post(BATCH, { jobs }, header);
      expect([again.status, again.body.batch_id, idsOf(again)]).toEqual([202, first.body.batch_id, idsOf(first)]);
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
      expect(again.body.items.every((item: Item) => item.replayed === true)).toBe(true);
      expect((await api.get(first.body.urls.status)).body).toMatchObject({ total: 500 });
    });

    test('a changed job under the same key is a conflict of its own, a new one at the end is accepted', async () => {
      const header = keyed(key());
      const first = await api.post(BATCH, { jobs: [job('a'), job('b'), job('c')] }, header);
      const { headers, body } = await api.post(BATCH, { jobs: [job('a'), job('B'), job('c'), job('d')] }, header);
      expect(body.items).toMatchObject([
        { job_id: first.body.items[0].job_id, replayed: true },
        { success: false, code: 'idempotency_conflict' },
        { job_id: first.body.items[2].job_id, replayed: true },
        { success: true, status: 'pending' },
      ]);
      expect([body.accepted, body.rejected, headers.get('Idempotency-Replayed')]).toEqual([3, 1, null]);
      expect(body.batch_id).toBe(first.body.batch_id);
      expect(await listed(body.batch_id)).toHaveLength(4);
      const other = await api.post(BATCH, { jobs: [job('a')] }, keyed(key()));
      expect(other.body.batch_id).not.toBe(body.batch_id);
      expect(other.body.items[0]).not.toHaveProperty('replayed');
    });

    test('jobs with ids or keys of their own are known by them, and a batch of such jobs by all of them', async () => {
      const [jobId, own] = [crypto.randomUUID(), key()];
      const jobs = [job('by id', { job_id: jobId.toUpperCase() }), job('by key', { idempotency_key: own })];
      const first = await api.post(BATCH, { jobs });
      expect(first.body.items[0].job_id).toBe(jobId);
      const again = await api.post(BATCH, { jobs });
      expect([again.body.batch_id, idsOf(again)]).toEqual([first.body.batch_id, idsOf(first)]);
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
      const single = await api.post('/api/llm/jobs/submit/', job('by key'), keyed(own));
      expect(single.body.job_id).toBe(first.body.items[1].job_id);
      const mixed = [...jobs, job('of no name')];
      const [one, two] = [await api.post(BATCH, { jobs: mixed }), await api.post(BATCH, { jobs: mixed })];
      expect(one.body.batch_id).not.toBe(two.body.batch_id);
      expect(idsOf(one)[2]).not.toBe(idsOf(two)[2]);
      expect(one.headers.get('Idempotency-Replayed')).toBeNull();
      // A job belongs to the batch that brought it first.
      expect(one.body.items[0]).toMatchObject({ replayed: true, batch_id: first.body.batch_id });
    });
  });
}
