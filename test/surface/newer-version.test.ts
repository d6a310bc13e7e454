/** X03: whoever asks for a change of a job that a newer version wrote is told to try again, in each contract's words. */
import { expect, test } from 'vitest';
import { SCHEMA_VERSION } from '../../shared/core/schema-version.ts';
import { cancelOf, general, redeliverOf, retryOf, SUBMIT, statusOf } from '../support/app.ts';
import { ADA } from '../support/core-world.ts';
import { refuser } from './counted-app.ts';
import { TEXT } from './extraction-world.ts';
import { MANUAL, cancelOf as promptCancelOf, statusOf as promptStatusOf, promptWorld, START } from './prompt-world.ts';

const SENTENCE = 'The job was written by a newer version of this service. Try again.';
const JOBS_API = { success: false, error: SENTENCE, code: 'store_unavailable', request_id: expect.any(String) };

test.each<[contract: string, submit: [string, object], asks: (id: string) => [string, string][], body: object]>([
  [
    'the Jobs API',
    [SUBMIT, general({ prompt: 'Hello.' })],
    (id) => [
      ['POST', cancelOf(id)],
      ['POST', retryOf(id)],
      ['POST', redeliverOf(id)],
      ['DELETE', `/api/llm/jobs/${id}/`],
    ],
    JOBS_API,
  ],
  [
    'structured extraction',
    ['/llm/submit', { text: TEXT }],
    (id) => [['POST', `/llm/cancel/${id}`]],
    { detail: SENTENCE },
  ],
  [
    'prompt generation',
    [START, MANUAL],
    (id) => [['POST', promptCancelOf(id)]],
    { success: false, message: SENTENCE, error: SENTENCE },
  ],
])('%s', async (_, [path, submission], asks, answer) => {
  const { world, post, get } = promptWorld();
  const { body } = await post(path, submission);
  const id = body.job_id ?? body.task_id;
  const key = { tenant: ADA.tenant, id };
  const found = await world.store.get(key);
  await world.store.update(key, found?.revision ?? '', { schemaVersion: SCHEMA_VERSION + 1 });
  const refuse = refuser(world);
  for (const [method, url] of asks(id)) {
    const { status, headers, body } = await refuse(method, url);
    expect([url, status, headers.get('Retry-After'), body]).toEqual([url, 503, '5', answer]);
  }
  // Who only reads it goes on as before.
  const read = { '/llm/submit': `/llm/status/${id}`, [START]: promptStatusOf(id) }[path] ?? statusOf(id);
  expect((await get(read)).status).toBe(200);
  await world.close();
});
