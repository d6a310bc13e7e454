/**
 * A tour through everything that people's words and keys go through, with a word planted in each place. What the service
 * logs meanwhile is kept, and looked through when the whole run is over; that it was kept is checked here.
 */
import { expect } from 'vitest';
import { plant, readKept } from '../support/canaries.ts';
import { pollToEnd, pollUntil, readStatus, request, submit, type View } from '../support/http-client.ts';
import { CANARY_MODELS, PLANTED_ANSWER } from '../support/provider.ts';
import { readStream } from '../support/sse-client.ts';

/** A deleted job has nobody told of it. */
const TOLD = ['webhook-failed'];

/** In front of a service that logs everything (`LOG_LEVEL=debug`), with the provider of `support/provider.ts` behind it. */
export async function canaryTour(baseUrl: string, workerUrl?: string): Promise<void> {
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${baseUrl}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const own = () => ({
    ...{ tags: [plant('tag')], metadata: { [plant('name')]: plant('metadata') }, question_id: plant('question') },
    stream: true,
    // Nobody listens there: what became of it is logged, and where it was is not.
    webhook: { url: `http://127.0.0.1:9/${plant('hook')}?token=${plant('secret')}`, include: 'job' },
  });
  const words = (model: string, script = '') => ({
    ...request(model, ''),
    input_data: { system_message: plant('system'), full_input: `${plant('prompt')} ${script}` },
    ...own(),
  });

  // Answers: read in every way, kept and not kept, one of them before its end.
  const answered = await submit(baseUrl, words(CANARY_MODELS.answers));
  const simulated = await submit(baseUrl, { ...words('simulated', '[simulate seconds=1]'), store: false });
  // A stream may end before its job, where the machine is slow.
  await expect
    .poll(() => readStream(baseUrl, simulated), { timeout: 20_000 })
    .toContainEqual(expect.objectContaining({ event: 'done' }));
  expect((await pollToEnd(baseUrl, answered)).result_data?.result).toBe(PLANTED_ANSWER);
  for (const path of [`/api/llm/jobs/${answered}/result/`, '/api/llm/jobs/?limit=5']) {
    expect(await (await ask('GET', path)).text()).toContain(PLANTED_ANSWER);
  }

  // Failures: refused for good, refused for now, broken off; a provider repeats what it was sent, and the key.
  const failed = await submit(baseUrl, words(CANARY_MODELS.refuses));
  const view: View = await pollToEnd(baseUrl, failed);
  expect(view).toMatchObject({ status: 'failed', error_code: 'invalid_request' });
  // Its words may be shown to who asked; the key in them may not.
  expect(view.error_message).toContain('canary-provider');
  expect(view.error_message).not.toMatch(/sk-/);
  for (const model of [CANARY_MODELS.overloaded, CANARY_MODELS.cuts]) {
    const waiting = await submit(baseUrl, words(model));
    await pollUntil(baseUrl, waiting, ({ attempts }) => attempts.length > 1);
    expect((await ask('POST', `/api/llm/jobs/${waiting}/cancel/`)).status).toBe(200);
    expect(await pollToEnd(baseUrl, waiting)).toMatchObject({ status: 'cancelled' });
  }

  // Cancelled and deleted in the middle of a call.
  const [cancelled, deleted] = await Promise.all(
    [1, 2].map(() => submit(baseUrl, words('simulated', '[simulate seconds=60]'))),
  );
  for (const id of [cancelled, deleted] as string[]) {
    await pollUntil(baseUrl, id, ({ status }) => status === 'processing');
  }
  await ask('POST', `/api/llm/jobs/${cancelled}/cancel/`);
  await ask('DELETE', `/api/llm/jobs/${deleted}/`);
  expect(await pollToEnd(baseUrl, cancelled as string)).toMatchObject({ status: 'cancelled' });
  expect(await readStatus(baseUrl, deleted as string)).toMatchObject({ code: 'job_not_found' });

  // Refusals: nothing of what was sent is logged, and no credential.
  const key = `llmj_${'0123456789abcdef'.repeat(4)}01234567`;
  const refusals: [method: string, path: string, status: number, body?: unknown][] = [
    ['POST', '/api/llm/jobs/submit/', 400, { ...words('simulated'), [plant('field')]: plant('value') }],
    ['POST', '/api/llm/jobs/submit/', 400, `{"${plant('json')}`],
    ['POST', '/api/llm/jobs/submit/', 400, words(plant('model'))],
    ['POST', '/api/llm/jobs/submit/', 400, { ...words('simulated'), webhook: { url: `ftp://${plant('host')}/` } }],
    ['POST', '/api/llm/jobs/batch/', 400, { jobs: [{ ...words('simulated'), [plant('field')]: 1 }] }],
    ['PUT', `/api/llm/jobs/${crypto.randomUUID()}`, 400, { ...words('simulated'), input_data: plant('input') }],
    ['GET', `/api/llm/jobs/${plant('id')}/status/?access_token=${plant('token')}`, 400],
    ['POST', '/jobs', 400, { prompt: plant('prompt'), provider: plant('vendor'), model: 'gpt-4' }],
    ['POST', '/jobs', 400, { prompt: plant('prompt'), provider: 'simulated', model: plant('model') }],
    ['GET', `/jobs/${plant('id')}/stream`, 404],
    ['GET', `/${plant('path')}/`, 404],
    ['DELETE', `/api/llm/users/${plant('user')}/`, 403],
  ];
  for (const [method, path, status, body] of refusals) {
    const answer = await ask(method, path, body, { Authorization: `Bearer ${key}`, 'X-API-Key': key });
    expect([method, path, answer.status]).toEqual([method, path, status]);
  }
  if (workerUrl) await publishWrong(workerUrl);

  // The net has caught what was logged of all that, or it would catch no leak either.
  const logged = () => readKept(process.env.KEPT_OUTPUT ?? '').flatMap(({ content }) => content.split('\n'));
  for (const id of [answered, simulated, failed, cancelled, deleted] as string[]) {
    for (const event of ['job-submitted', 'attempt-started', 'job-finished', ...(id === deleted ? [] : TOLD)]) {
      const isKept = () => logged().some((line) => line.includes(id) && line.includes(event));
      await expect.poll(isKept, { message: `${event} of ${id} is kept`, timeout: 10_000 }).toBe(true);
    }
  }
}

/** A message that no submission can be made of, as another service would publish it. */
async function publishWrong(workerUrl: string): Promise<void> {
  const content = { job_type: plant('type'), prompt: plant('prompt'), [plant('field')]: plant('value') };
  const data = Buffer.from(JSON.stringify(content)).toString('base64');
  const response = await fetch(`${workerUrl}/submissions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ message: { data, messageId: crypto.randomUUID() }, subscription: 's' }),
  });
  expect(response.status).toBe(204);
}
