/** The client against the embedded service, and with the tokens of one job. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { type Listening, listen } from '../../infra/listen.ts';
import { createClient, type Submission } from '../../shared/client/client.ts';
import { readConfig } from '../../shared/config.ts';
import { newApiKey } from '../../shared/http/api-keys.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { type EmbeddedRuntime, embeddedRuntime } from '../../shared/runtime-embedded.ts';
import { clientTests } from '../end-to-end/client.ts';

let runtime: EmbeddedRuntime;
let server: Listening;
let token: string;
beforeAll(async () => {
  const settings = { AUTH_MODE: 'api-key', SIGNING_SECRETS: randomBytes(32).toString('base64'), RATE_LIMITS: 'off' };
  const quick = { DATABASE_URL: ':memory:', LOG_LEVEL: 'error', SIMULATED_MS: '0', DRAIN_MS: '0' };
  runtime = await embeddedRuntime(readConfig({ ...settings, ...quick }));
  const scopes = ['jobs:read', 'jobs:write'] as const;
  const { key, kept } = newApiKey({
    name: 'page',
    tenant: 'default',
    scopes,
    createdAt: Date.now(),
    random: randomBytes,
  });
  await runtime.apiKeys.create(kept);
  token = key;
  server = await listen(publicApp(runtime, EVERYTHING).fetch, { host: '127.0.0.1', port: 0 });
  runtime.start();
});
afterAll(async () => {
  runtime.service.close();
  await server.close();
  await runtime.close();
});

clientTests(() => ({ baseUrl: server.baseUrl, token }));

test('the token of a job waits for it, streams and cancels it, and does nothing else', async () => {
  const { baseUrl } = server;
  const keeper = createClient({ baseUrl, token });
  const slow: Submission = {
    ...{ job_type: 'general_llm_request', model_id: 'simulated', stream: true },
    input_data: { prompt: 'Take your time. [simulate seconds=60]' },
  };
  const [mine, other] = [await keeper.submit(slow), await keeper.submit(slow)];
  const given = await keeper.jobToken(mine.job_id);
  expect(given).toMatchObject({ job_id: mine.job_id, job_token: expect.any(String) });
  const page = createClient({ baseUrl, token: given.job_token });
  for await (const event of page.stream(mine.job_id)) {
    expect(event).toMatchObject({ type: 'snapshot', job: { job_id: mine.job_id } });
    break;
  }
  await expect(page.get(other.job_id)).rejects.toMatchObject({ code: 'job_not_found' });
  await expect(page.cancel(other.job_id)).rejects.toMatchObject({ code: 'job_not_found' });
  await expect(page.listPage()).rejects.toMatchObject({ status: 403 });
  await expect(page.submit(slow)).rejects.toMatchObject({ status: 403 });
  await page.cancel(mine.job_id);
  expect(await page.wait(mine.job_id)).toMatchObject({ status: 'cancelled' });
  expect(await keeper.get(other.job_id)).toMatchObject({ is_complete: false });
  await keeper.cancel(other.job_id);
});
