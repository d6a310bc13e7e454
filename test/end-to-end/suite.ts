/**
 * What a user does, from submit to result, over real sockets and the real SDK. The same suite runs on the embedded
 * service and on the emulators with each function as its own process.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pollToEnd, request, submit, warmUp } from '../support/http-client.ts';
import { ANSWER, type Provider, startProvider, USAGE } from '../support/provider.ts';
import { runSubmitAndGetLater, runSubmitAndPoll } from './seed-000/run-pattern.ts';
import { STREAM_MS, streamTests } from './stream.ts';
import { streamingJobsTests } from './streaming-jobs.ts';
import { structuredExtractionTests } from './structured-extraction.ts';

export type Target = { baseUrl: string; stop(): Promise<void> };

/** `start` gets the provider's settings as environment variables. `more` adds tests that only this target can have. */
export function endToEndSuite(
  name: string,
  start: (environment: Record<string, string>) => Promise<Target>,
  more: (target: () => Target, provider: () => Provider) => void = () => {},
): void {
  describe(`end to end, ${name}`, () => {
    let provider: Provider;
    let target: Target;

    beforeAll(async () => {
      provider = await startProvider();
      target = await start({ ...provider.environment, SIMULATED_MS: '300', STREAM_MS: String(STREAM_MS) });
      await warmUp(target.baseUrl);
    }, 60_000);
    afterAll(async () => {
      await target?.stop();
      await provider?.stop();
    });

    streamTests(() => target.baseUrl);
    structuredExtractionTests(
      () => target.baseUrl,
      () => provider,
    );
    streamingJobsTests(() => target.baseUrl);

    async function idOf(model: string): Promise<string> {
      const answer = (await (await fetch(`${target.baseUrl}/api/llm/models/`)).json()) as {
        models: { id: string; model: string }[];
      };
      return answer.models.find((entry) => entry.model === model)?.id ?? '';
    }

    test("seed 000's submit-and-poll code prints the result of a job that completes", async () => {
      const output = await runSubmitAndPoll(target.baseUrl, await idOf('simulated'));
      expect(output.error).toEqual([]);
      expect(output.log).toEqual([
        ['Job completed:', { success: true, result: expect.stringContaining('Analyze this problem...') }],
      ]);
    });

    test("seed 000's submit-and-poll code prints the error of a job that fails", async () => {
      const output = await runSubmitAndPoll(target.baseUrl, await idOf('gpt-4'));
      expect(output).toEqual({ log: [], error: [['Job failed:', 'The provider does not accept our API key.']] });
    });

    test("seed 000's submit-and-get-later code prints the result of a job that completed", async () => {
      const output = await runSubmitAndGetLater(target.baseUrl, await idOf('gpt-4o-mini'), (id) =>
        pollToEnd(target.baseUrl, id),
      );
      expect(output).toEqual({ log: [['Final result:', { success: true, result: ANSWER }]], error: [] });
    });

    test("seed 000's submit-and-get-later code prints nothing for a job that failed", async () => {
      const output = await runSubmitAndGetLater(target.baseUrl, await idOf('gpt-4'), (id) =>
        pollToEnd(target.baseUrl, id),
      );
      expect(output).toEqual({ log: [], error: [] });
    });

    test('a trainer analysis goes through the OpenAI SDK and comes back with the usage it reported', async () => {
      const response = await fetch(`${target.baseUrl}/api/llm/trainer-analysis/`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({
          model_id: 'gpt-4o-mini',
          question_id: 'question-123',
          system_message: 'You are an expert code reviewer.',
          full_input: 'Please analyze this coding problem: 7f3a',
        }),
      });
      expect(response.status).toBe(202);
      const { job_id } = (await response.json()) as { job_id: string };
      expect(response.headers.get('location')).toBe(`/api/llm/jobs/${job_id}/status/`);
      const view = await pollToEnd(target.baseUrl, job_id);
      expect(view).toMatchObject({
        status: 'completed',
        job_type: 'trainer_question_analysis',
        question_id: 'question-123',
        result_data: { success: true, result: ANSWER },
        usage: USAGE,
        model: { name: 'GPT-4o mini', provider: 'openai' },
      });
      expect(provider.callsAbout('7f3a')).toBe(1);
    });

    test.each(['llama3.2', 'gemini-2.5-flash', 'gemini-1.5-flash'])('%s answers, too', async (model) => {
      const id = await submit(target.baseUrl, request(model, `hello ${model}`));
      const view = await pollToEnd(target.baseUrl, id);
      expect(view).toMatchObject({ status: 'completed', result_data: { result: ANSWER }, usage: USAGE });
      expect(provider.callsAbout(`hello ${model}`)).toBe(1);
    });

    test('a retired name is shown as it was asked for, and runs as its successor', async () => {
      const id = await submit(target.baseUrl, request('gemini-1.5-flash', 'old name'));
      expect(await pollToEnd(target.baseUrl, id)).toMatchObject({
        model: { name: 'Gemini 1.5 Flash', provider: 'gemini' },
        attempts: [{ model: 'gemini-2.5-flash' }],
      });
    });

    test('a provider that refuses our key fails the job with its class and never shows the key', async () => {
      const view = await pollToEnd(target.baseUrl, await submit(target.baseUrl, request('gpt-4', 'refuse me')));
      expect(view).toMatchObject({ status: 'failed', success: true, is_complete: true, error_code: 'auth' });
      expect(view).not.toHaveProperty('result_data');
      expect(JSON.stringify(view)).not.toContain('sk-secret');
      expect(provider.callsAbout('refuse me')).toBe(1);
    });

    test('200 jobs submitted at once all complete, and the list pages through them without a gap or a repeat', async () => {
      const before = await listAll(target.baseUrl);
      const prompts = Array.from({ length: 200 }, (_, index) => `one of many ${index}.`);
      const ids = await Promise.all(prompts.map((prompt) => submit(target.baseUrl, request('gpt-4o-mini', prompt))));
      const views = await Promise.all(ids.map((id) => pollToEnd(target.baseUrl, id, 100_000)));
      expect(views.map((view) => view.status)).toEqual(ids.map(() => 'completed'));
      expect(views.flatMap(({ attempts }) => (attempts.length === 1 ? [] : [attempts]))).toEqual([]);

      const listed = await listAll(target.baseUrl);
      expect(new Set(listed).size).toBe(listed.length);
      expect(listed.length).toBe(before.length + 200);
      expect(new Set(listed)).toEqual(new Set([...before, ...ids]));
      for (const prompt of prompts) expect(provider.callsAbout(`"${prompt}"`)).toBe(1);
    }, 120_000);

    test('50 submits under one key at once make one job and one call; another body under it is refused', async () => {
      const body = request('gpt-4o-mini', 'the same 50 times.');
      const send = (given: unknown, key: string) =>
        fetch(`${target.baseUrl}/api/llm/jobs/submit/`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
          body: JSON.stringify(given),
        });
      const before = await listAll(target.baseUrl);
      const responses = await Promise.all(Array.from({ length: 50 }, () => send(body, '"key-50"')));
      const answers = (await Promise.all(responses.map((response) => response.json()))) as { job_id: string }[];
      expect(new Set(responses.map((response) => response.status))).toEqual(new Set([202]));
      expect(new Set(answers.map((answer) => answer.job_id)).size).toBe(1);
      expect(responses.filter((response) => response.headers.get('idempotency-replayed') === 'true')).toHaveLength(49);
      const id = answers[0]?.job_id ?? '';
      await pollToEnd(target.baseUrl, id);
      expect(provider.callsAbout('the same 50 times.')).toBe(1);

      const conflict = await send(request('gpt-4o-mini', 'something else'), 'key-50');
      expect(conflict.status).toBe(409);
      expect(await conflict.json()).toMatchObject({ code: 'idempotency_conflict' });
      expect(await listAll(target.baseUrl)).toEqual([id, ...before]);
    });

    test('a job is put under an id of its own, as often as wanted', async () => {
      const id = crypto.randomUUID();
      const put = (prompt: string) =>
        fetch(`${target.baseUrl}/api/llm/jobs/${id}`, {
          method: 'PUT',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(request('simulated', prompt)),
        });
      expect([(await put('mine')).status, (await put('mine')).status, (await put('other')).status]).toEqual([
        202, 202, 409,
      ]);
      expect(await pollToEnd(target.baseUrl, id)).toMatchObject({ status: 'completed', attempts: [{ n: 1 }] });
      const again = await put('mine');
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect(await again.json()).toMatchObject({ job_id: id, status: 'completed' });
    });

    describe('what a socket can bring', () => {
      const good = JSON.stringify(request('simulated', 'over the socket'));
      const post = (body: RequestInit['body'], headers: Record<string, string> = {}) =>
        fetch(`${target.baseUrl}/api/llm/jobs/submit/`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', ...headers },
          body: body ?? null,
          duplex: 'half',
        } as RequestInit);

      test('a body in chunks is read like any other', async () => {
        const chunks = new ReadableStream({
          start(controller) {
            for (const part of [good.slice(0, 9), good.slice(9)]) controller.enqueue(new TextEncoder().encode(part));
            controller.close();
          },
        });
        expect((await post(chunks)).status).toBe(202);
      });

      test.each([
        ['malformed JSON', '{"job_type":', {}, 400, 'invalid_request'],
        ['a large body', 'x'.repeat(11_000_000), {}, 413, 'input_too_large'],
        [
          'another charset',
          good,
          { 'Content-Type': 'application/json; charset=utf-16' },
          415,
          'unsupported_media_type',
        ],
      ])('%s gets our error, not a page', async (_, body, headers, status, code) => {
        const response = await post(body, headers as Record<string, string>);
        expect(response.status).toBe(status);
        expect(await response.json()).toMatchObject({ success: false, code });
      });

      test.each(['%FF', '%', '%2e%2e%2f'])('the path %s gets our 404, not a page', async (id) => {
        const response = await fetch(`${target.baseUrl}/api/llm/jobs/${id}/status/`);
        expect(response.status).toBe(404);
        expect(await response.json()).toMatchObject({ success: false, error: expect.any(String) });
      });

      test('a method that is not allowed names those that are', async () => {
        const wrong = await fetch(`${target.baseUrl}/api/llm/jobs/submit/`);
        expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, expect.stringContaining('POST')]);
        const deleted = await fetch(`${target.baseUrl}/api/llm/models/`, { method: 'DELETE' });
        expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      });
    });

    more(
      () => target,
      () => provider,
    );
  });
}

/** Every job id of the list, page by page. */
async function listAll(baseUrl: string): Promise<string[]> {
  const ids: string[] = [];
  for (let offset = 0; ; offset += 30) {
    const response = await fetch(`${baseUrl}/api/llm/jobs/?limit=30&offset=${offset}`);
    const { jobs } = (await response.json()) as { jobs: { job_id: string }[] };
    ids.push(...jobs.map((job) => job.job_id));
    if (jobs.length < 30) return ids;
  }
}
