/** The client against a service over real sockets: what a page does, from submit to result. */
import { describe, expect, test } from 'vitest';
import { createClient, type JobEvent, type JobView, newJobId, type Submission } from '../../shared/client/client.ts';

type Answer = { success: boolean; result: string };

const asked = (prompt: string, more: object = {}): Submission => ({
  ...{ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt } },
  ...more,
});

/** `options` are those of a client with credentials. */
export function clientTests(options: () => Parameters<typeof createClient>[0] & { baseUrl: string }): void {
  const client = () => createClient(options());

  // Each is mostly waiting.
  describe.concurrent('the client', () => {
    test('submits under an id that it knows before, waits, and reads the result', async () => {
      const jobId = newJobId();
      const jobs = client();
      const submitted = await jobs.submit(asked('Say hello.'), { jobId });
      expect(submitted).toMatchObject({ success: true, job_id: jobId, job_type: 'general_llm_request' });
      // Again, as after a reload: it is one job.
      expect(await jobs.submit(asked('Say hello.'), { jobId })).toMatchObject({ job_id: jobId });
      const job = await jobs.wait<Answer>(jobId);
      expect(job).toMatchObject({ status: 'completed', is_complete: true, progress: 100, attempts: [{ calls: 1 }] });
      expect(await jobs.get(jobId)).toEqual(job);
      expect(await jobs.result<Answer>(jobId)).toMatchObject({ job_id: jobId, result_data: job.result_data });
      await expect(jobs.submit(asked('Something else.'), { jobId })).rejects.toMatchObject({
        ...{ name: 'LlmJobsError', code: 'idempotency_conflict', status: 409, jobId },
      });
    });

    test('a stream is the job as it happens, and goes on after its last event', async () => {
      const jobs = client();
      const { job_id } = await jobs.submit(asked('Tell a tale. [simulate seconds=1]', { stream: true }));
      const heard: JobEvent<Answer>[] = [];
      for await (const event of jobs.stream<Answer>(job_id)) heard.push(event);
      expect(heard[0]).toMatchObject({ type: 'snapshot', job: { job_id } });
      const done = heard.at(-1);
      expect(done).toMatchObject({ type: 'done', job: { status: 'completed' } });
      const deltas = heard.filter((event) => event.type === 'delta');
      expect(deltas.length).toBeGreaterThan(2);
      const text = done?.type === 'done' ? done.job.result_data?.result : undefined;
      expect(deltas.at(-1)?.soFar).toBe(text);

      const startingAfter = deltas[1]?.id ?? 0;
      const rest: JobEvent<Answer>[] = [];
      for await (const event of jobs.stream<Answer>(job_id, { startingAfter })) rest.push(event);
      const texts = rest.flatMap((event) => (event.type === 'delta' ? event.text : []));
      expect((deltas[1]?.soFar ?? '') + texts.join('')).toBe(text);
      expect(rest.at(-1)).toEqual(done);
    });

    test('a stream that is left does not keep the job from its end, and one of a job without deltas has its end', async () => {
      const jobs = client();
      const { job_id } = await jobs.submit(asked('Be brief. [simulate seconds=1]'));
      for await (const event of jobs.stream(job_id)) {
        expect(event.type).toBe('snapshot');
        break;
      }
      const types = new Set<string>();
      for await (const { type } of jobs.stream(job_id)) types.add(type);
      expect(types).toContain('done');
      expect(types).not.toContain('delta');
      expect(await jobs.wait(job_id)).toMatchObject({ status: 'completed' });
    });

    test('a list is read over as many pages as there are', async () => {
      const jobs = client();
      const tag = `t-${newJobId().slice(0, 8)}`;
      const submitted = [];
      for (let n = 0; n < 5; n += 1) submitted.push(await jobs.submit(asked(`Number ${n}`, { tags: [tag] })));
      const listed: JobView[] = [];
      for await (const job of jobs.list({ tag, limit: 2 })) listed.push(job);
      expect(listed.map(({ job_id }) => job_id)).toEqual(submitted.map(({ job_id }) => job_id).reverse());
      const { jobs: first, next_cursor } = await jobs.listPage({ tag, limit: 2 });
      expect(first).toHaveLength(2);
      expect(next_cursor).toEqual(expect.any(String));
    });

    test('cancel ends a job, retry makes a new one of it, delete removes it', async () => {
      const jobs = client();
      const { job_id } = await jobs.submit(asked('Take your time. [simulate seconds=60]'));
      await expect(jobs.result(job_id)).rejects.toMatchObject({ code: 'job_not_complete', status: 409 });
      await jobs.cancel(job_id);
      const ended = await jobs.wait(job_id);
      expect(ended.status).toBe('cancelled');
      expect(await jobs.cancel(job_id)).toEqual(ended);
      const again = await jobs.retry(job_id);
      expect(again).toMatchObject({ retry_of: job_id });
      await jobs.delete(again.job_id);
      await expect(jobs.get(again.job_id)).rejects.toMatchObject({ code: 'job_not_found', status: 404 });
      await expect(jobs.wait(again.job_id)).rejects.toMatchObject({ code: 'job_not_found', jobId: again.job_id });
    });

    test('a signal stops waiting, and cancels the job where it is asked to; a job that failed is a view', async () => {
      const jobs = client();
      const { job_id } = await jobs.submit(asked('Take your time. [simulate seconds=60]'));
      const reason = new Error('No longer wanted.');
      const stopped = jobs.wait(job_id, { signal: AbortSignal.abort(reason) });
      await expect(stopped).rejects.toBe(reason);
      expect(await jobs.get(job_id)).toMatchObject({ is_complete: false });
      const leaving = new AbortController();
      const waiting = jobs.wait(job_id, { signal: leaving.signal, cancel: true });
      setTimeout(() => leaving.abort(), 50);
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
      expect(await jobs.wait(job_id)).toMatchObject({ status: 'cancelled' });
      const failed = await jobs.submitAndWait(asked('Go wrong. [simulate fail=content_policy]'));
      expect(failed).toMatchObject({ status: 'failed', error_code: 'content_policy' });
    });

    test('a result of megabytes is whole for who waits, and for who streams', async () => {
      const jobs = client();
      const submission = asked('Go on. [simulate kilobytes=2000 seconds=0]', { stream: true });
      const job = await jobs.submitAndWait<Answer>(submission);
      expect(job.result_data?.result.length).toBeGreaterThan(1_900_000);
      let done: unknown;
      for await (const event of jobs.stream(job.job_id)) if (event.type === 'done') done = event.job;
      expect(done).toEqual(job);
    });
  });
}
